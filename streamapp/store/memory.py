"""The rows behind the result memory: results by their digest, and jobs whose report answers another.

Only what had no errors comes in here. A result's time counts from when it was computed, however often it is used since,
and so does a report's that was itself answered from memory; times are compared as they stand, so a clock that was set
back forgets nothing early and one that was set forward does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Double, Table, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from streamapp.store.schema import clock, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import remembered

__all__ = ["Recalled", "enter", "forget_old", "forget_some", "recall", "sizes", "source_of", "used"]

OVERHEAD = 256  # bytes that a row takes beside its outcomes
AT_ONCE = 500  # digests in a statement


class Recalled(NamedTuple):
    """A remembered result: a JSON array of outcomes, and when it was computed."""

    outcomes: bytes
    made_at: float


def _entering(insert: Callable[[Table], Any]) -> Any:
    """Made once: for so small a row, spelling the statement takes longer than running it."""
    statement = insert(remembered).values(made_at=clock(), used_at=clock())
    names = [column.name for column in remembered.c if not column.primary_key]
    changed = {name: statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=["tenant", "digest"], set_=changed)


ENTER = {"sqlite": _entering(sqlite.insert), "postgresql": _entering(postgresql.insert)}


def enter(connection: Connection, tenant: str, digest: str, predictor: str, outcomes: bytes) -> None:
    """Remember a result that was computed just now, instead of an older one."""
    values = {
        "tenant": tenant,
        "digest": digest,
        "predictor": predictor,
        "bytes": len(outcomes) + OVERHEAD,
        "outcomes": outcomes,
    }
    connection.execute(ENTER[connection.dialect.name], values)


RECALL = select(remembered.c.digest, remembered.c.outcomes, remembered.c.made_at).where(
    remembered.c.tenant == bindparam("of_tenant"),
    remembered.c.digest.in_(bindparam("of_digests", expanding=True)),
    remembered.c.made_at >= clock() - bindparam("within_s", type_=Double()),
)


def recall(connection: Connection, tenant: str, digests: Collection[str], within_s: float) -> dict[str, Recalled]:
    """The results of that tenant with these digests that were computed at most `within_s` seconds ago."""
    found: dict[str, Recalled] = {}
    wanted = sorted(digests)
    for start in range(0, len(wanted), AT_ONCE):
        some = {"of_tenant": tenant, "of_digests": wanted[start : start + AT_ONCE], "within_s": within_s}
        for row in connection.execute(RECALL, some):
            found[row.digest] = Recalled(row.outcomes, row.made_at)
    return found


USED = (
    update(remembered)
    .where(remembered.c.tenant == bindparam("of_tenant"), remembered.c.digest == bindparam("of_digest"))
    .values(used_at=clock())
)


def used(connection: Connection, tenant: str, digests: Collection[str]) -> None:
    """These answered something just now. In one order, so that two who do this don't wait for each other in a ring."""
    rows = [{"of_tenant": tenant, "of_digest": digest} for digest in sorted(digests)]
    if rows:
        connection.execute(USED, rows)


WHEN_MADE = func.coalesce(jobs.c.remembered_at, jobs.c.finished_at)
SOURCE = (
    select(jobs.c.id, jobs.c.run, jobs.c.total, WHEN_MADE.label("made_at"))
    .where(jobs.c.tenant == bindparam("of_tenant"), jobs.c.work_hash == bindparam("of_work"))
    .where(jobs.c.status == "succeeded", clock() - bindparam("within_s", type_=Double()) <= WHEN_MADE)
    .order_by(WHEN_MADE.desc())
    .limit(1)
)


def source_of(connection: Connection, tenant: str, work_hash: str, within_s: float) -> AnyRow | None:
    """The job of that tenant whose report answers that work: its id, run, items, and when it was computed (`made_at`).

    The newest of those that were computed at most `within_s` seconds ago.
    """
    wanted = {"of_tenant": tenant, "of_work": work_hash, "within_s": within_s}
    return connection.execute(SOURCE, wanted).first()


def forget_old(connection: Connection, after_s: float, most: int) -> int:
    """Remove at most `most` results that were computed more than `after_s` seconds ago. Returns how many."""
    old = select(remembered.c.tenant, remembered.c.digest).where(remembered.c.made_at < clock() - after_s).limit(most)
    which = tuple_(remembered.c.tenant, remembered.c.digest).in_(old)
    return connection.execute(delete(remembered).where(which)).rowcount


def sizes(connection: Connection) -> Mapping[str, int]:
    """Bytes that are remembered for each tenant. Reads an index from end to end: not for a hot path."""
    rows = connection.execute(select(remembered.c.tenant, func.sum(remembered.c.bytes)).group_by(remembered.c.tenant))
    return {tenant: int(size) for tenant, size in rows}


def forget_some(connection: Connection, tenant: str, excess: int, most: int) -> int:
    """Remove results of that tenant, those first that were not used for the longest, until `excess` bytes are free.

    At most `most` rows; returns how many bytes that freed.
    """
    by_use = select(remembered.c.digest, remembered.c.bytes).where(remembered.c.tenant == tenant)
    freed, gone = 0, []
    for row in connection.execute(by_use.order_by(remembered.c.used_at).limit(most)):
        if freed >= excess:
            break
        freed += row.bytes
        gone.append(row.digest)
    connection.execute(delete(remembered).where(remembered.c.tenant == tenant, remembered.c.digest.in_(gone)))
    return freed
