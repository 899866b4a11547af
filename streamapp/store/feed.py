"""What those who follow events look at: jobs as they are, and a tenant's feed by its numbers.

No event is stored. A job's row says how far it is and how it ended; its deliveries and the ends of a tenant's jobs have
numbers (`streamapp.store.numbering`), so that what came after a place is found again from any worker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, and_, bindparam, func, or_, select, tuple_

from streamapp.store.numbering import readable
from streamapp.store.schema import deliveries, inbox, jobs, tenants
from streamapp.store.sql import AnyRow

__all__ = ["FINAL", "Followed", "Key", "Place", "Seen", "after", "heads", "is_past", "look", "running", "start"]

FINAL = ("succeeded", "failed", "cancelled", "expired")
OPEN = ("pending", "sending")
LAST = "z"  # after every id: they are hexadecimal
AT_ONCE = 500  # keys in one statement
RUNNING = 500  # jobs whose progress is looked at for all who follow whole tenants

Key = tuple[str, str]
"""A tenant and a job's id."""

_COLUMNS = [column for column in jobs.c if column.name not in ("document", "params", "name", "body_hash")]
_TOLD = or_(
    deliveries.c.state.in_(("sent", "dead", "parked")), and_(deliveries.c.state == "pending", deliveries.c.attempts > 0)
)
JOBS = select(*_COLUMNS).where(tuple_(jobs.c.tenant, jobs.c.id).in_(bindparam("keys", expanding=True)))
DELIVERIES = select(deliveries, readable(deliveries.c.feed).label("readable"), _TOLD.label("told")).where(
    tuple_(deliveries.c.tenant, deliveries.c.job).in_(bindparam("keys", expanding=True))
)
MOVING = (
    select(*_COLUMNS)
    .where(jobs.c.status == "running", jobs.c.tenant.in_(bindparam("names", expanding=True)))
    .order_by(jobs.c.started_at.desc())
    .limit(RUNNING)
)
_ENDS = select(func.max(jobs.c.feed)).where(jobs.c.tenant == tenants.c.tenant, jobs.c.feed.is_not(None))
_OUTCOMES = select(func.max(deliveries.c.feed)).where(
    deliveries.c.tenant == tenants.c.tenant, deliveries.c.feed.is_not(None)
)
HEADS = select(
    tenants.c.tenant,
    func.coalesce(_ENDS.scalar_subquery(), 0).label("ends"),
    func.coalesce(_OUTCOMES.scalar_subquery(), 0).label("outcomes"),
).where(tenants.c.tenant.in_(bindparam("names", expanding=True)))
ENDED_AFTER = (
    select(*_COLUMNS)
    .where(jobs.c.tenant == bindparam("of_tenant"), jobs.c.status.in_(FINAL), readable(jobs.c.feed))
    .where(
        or_(jobs.c.feed > bindparam("of_feed"), and_(jobs.c.feed == bindparam("of_feed"), jobs.c.id > bindparam("job")))
    )
    .order_by(jobs.c.feed, jobs.c.id)
    .limit(bindparam("most"))
)
SETTLED_AFTER = (
    select(deliveries)
    .where(deliveries.c.tenant == bindparam("of_tenant"), _TOLD, readable(deliveries.c.feed))
    .where(
        or_(
            deliveries.c.feed > bindparam("of_feed"),
            and_(deliveries.c.feed == bindparam("of_feed"), deliveries.c.id > bindparam("delivery")),
        )
    )
    .order_by(deliveries.c.feed, deliveries.c.id)
    .limit(bindparam("most"))
)
LINES = select(inbox).where(inbox.c.delivery.in_(bindparam("identities", expanding=True)))
START = select(
    *(
        select(func.max(table.c.feed))
        .where(table.c.tenant == bindparam("of_tenant"), readable(table.c.feed))
        .scalar_subquery()
        for table in (jobs, deliveries)
    )
)
PAST = select(readable(bindparam("of_feed", type_=BigInteger())))


class Place(NamedTuple):
    """A place in a tenant's feed: ends of jobs come before deliveries of the same number."""

    feed: int
    kind: int = 2  # 0: the end of the job `id`; 1: what became of the delivery `id`; 2: after both
    id: str = LAST


@dataclass(frozen=True, slots=True)
class Followed:
    """A job, and those of its run's deliveries that are readable and have had an attempt, in the feed's order.

    `open` says that more of them is to come.
    """

    row: AnyRow
    told: tuple[AnyRow, ...] = ()
    open: bool = False


class Seen(NamedTuple):
    """An entry of a tenant's feed: a job's row or a delivery's, and that delivery's line in the inbox if it has one."""

    place: Place
    row: AnyRow
    line: AnyRow | None = None


def look(connection: Connection, keys: Sequence[Key]) -> dict[Key, Followed]:
    """The jobs with these keys, as far as there are such."""
    found: dict[Key, Followed] = {}
    for first in range(0, len(keys), AT_ONCE):
        rows = connection.execute(JOBS, {"keys": keys[first : first + AT_ONCE]}).all()
        ended = [(row.tenant, row.id) for row in rows if row.status in FINAL]
        settled = connection.execute(DELIVERIES, {"keys": ended}).all() if ended else ()
        of_job: dict[Key, list[AnyRow]] = {}
        for each in settled:
            of_job.setdefault((each.tenant, each.job), []).append(each)
        found |= {(row.tenant, row.id): _followed(row, of_job.get((row.tenant, row.id), ())) for row in rows}
    return found


def _followed(row: AnyRow, settled: Sequence[AnyRow]) -> Followed:
    mine = [each for each in settled if each.run == row.run]
    told = sorted((each for each in mine if each.told and each.readable), key=lambda each: (each.feed, each.id))
    to_come = any(each.state in OPEN or (each.told and each.feed is not None and not each.readable) for each in mine)
    return Followed(row, tuple(told), to_come)


def running(connection: Connection, names: Collection[str]) -> list[AnyRow]:
    """The running jobs of these tenants, those that began last."""
    return list(connection.execute(MOVING, {"names": sorted(names)}))


def heads(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The largest number in each of these tenants' feeds, readable or not."""
    return {row.tenant: max(row.ends, row.outcomes) for row in connection.execute(HEADS, {"names": sorted(names)})}


def is_past(connection: Connection, place: Place) -> bool:
    """Whether readers may have been at that place: PostgreSQL numbers anew when the rows move to another server."""
    return bool(connection.execute(PAST, {"of_feed": place.feed}).scalar_one())


def start(connection: Connection, tenant: str) -> Place:
    """The place after all that is readable now."""
    numbers = connection.execute(START, {"of_tenant": tenant}).one()
    return Place(max((number for number in numbers if number is not None), default=0))


def after(connection: Connection, tenant: str, place: Place, most: int) -> list[Seen]:
    """The next entries of a tenant's feed, at most so many."""
    values = {"of_tenant": tenant, "of_feed": place.feed, "most": most}
    job = place.id if place.kind == 0 else LAST
    ends = [Seen(Place(row.feed, 0, row.id), row) for row in connection.execute(ENDED_AFTER, {**values, "job": job})]
    delivery = {0: "", 1: place.id}.get(place.kind, LAST)
    rows = connection.execute(SETTLED_AFTER, {**values, "delivery": delivery}).all()
    lines = _lines(connection, [row.id for row in rows if row.kind == "notification"])
    outcomes = [Seen(Place(row.feed, 1, row.id), row, lines.get(row.id)) for row in rows]
    return sorted([*ends, *outcomes], key=lambda seen: seen.place)[:most]


def _lines(connection: Connection, identities: Sequence[str]) -> Mapping[str, AnyRow]:
    if not identities:
        return {}
    return {line.delivery: line for line in connection.execute(LINES, {"identities": identities})}
