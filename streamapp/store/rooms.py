"""Room for a tenant's jobs: how many of them may run at a time, and which wait until one of those has ended.

A tenant's running jobs have room, and of its queued ones the oldest, as many as there is room left for: so whoever
asks, and however many ask at once, it is the same jobs. One without room is never noted as published, even if its
message is on the topic: the planner lets that be, and the relay brings a new one once there is room. A tenant that is
paused has no room at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, exists, func, or_, select, update

from streamapp.identity import Run
from streamapp.store.often import Often
from streamapp.store.schema import jobs, tenants
from streamapp.store.sql import AnyRow, upsert

__all__ = ["bounded", "has_room", "let_in", "limit_of", "pause", "paused", "put_back", "set_tenant", "tenants_of"]


NONE = -1  # the limit of a tenant that is paused; 0 is any number
LIMIT = Often(
    select(case((tenants.c.paused, NONE), else_=tenants.c.running)).where(tenants.c.tenant == bindparam("of_tenant"))
)
ANY_LIMIT = Often(select(exists().where(or_(tenants.c.running > 0, tenants.c.paused))))
PAUSED = select(tenants.c.tenant).where(tenants.c.paused)


def has_room(connection: Connection, run: Run, usual: int) -> bool:
    """Whether a queued job may run now. `usual`: how many of a tenant's may, unless its row says otherwise."""
    limit = limit_of(connection, run.tenant, usual)
    return not limit or run in _next(connection, run.tenant, limit)


def put_back(connection: Connection, runs: Iterable[Run], usual: int) -> None:
    """Make those of these unpublished that are queued and without room."""
    if not usual and not ANY_LIMIT(connection).scalar_one():
        return
    by_tenant: dict[str, list[Run]] = {}
    for run in runs:
        by_tenant.setdefault(run.tenant, []).append(run)
    for tenant, mine in by_tenant.items():
        if limit := limit_of(connection, tenant, usual):
            first = set(_next(connection, tenant, limit))
            held = [run.job for run in mine if run not in first]
            those = and_(jobs.c.tenant == tenant, jobs.c.id.in_(held), jobs.c.status == "queued")
            gone = {"published_at": None, "sent_partition": None, "sent_offset": None}
            connection.execute(update(jobs).where(those).values(**gone))


def let_in(connection: Connection, tenant: str, usual: int) -> list[Run]:
    """A tenant's queued jobs with room that the broker may not have; none when it has any number of rooms."""
    limit = limit_of(connection, tenant, usual)
    return [run for run, published_at in _oldest(connection, tenant, limit) if published_at is None] if limit else []


def bounded(connection: Connection, usual: int) -> dict[str, int]:
    """The tenants with a limit and with queued jobs, and their limits; of those that are paused, none at all."""
    limit = case((tenants.c.paused, NONE), else_=func.coalesce(tenants.c.running, usual))
    waits = exists().where(jobs.c.tenant == tenants.c.tenant, jobs.c.status == "queued")
    return {row.tenant: row.limit for row in connection.execute(_limits(limit).where(limit != 0, waits))}


def _limits(limit: ColumnElement[int]) -> Select[tuple[str, int]]:
    return select(tenants.c.tenant, limit.label("limit"))


def tenants_of(connection: Connection) -> Sequence[AnyRow]:
    """Every tenant's row, with the number of its jobs that are ``queued`` and ``active``, that is running."""
    count = select(func.count()).select_from(jobs).where(jobs.c.tenant == tenants.c.tenant)
    queued = count.where(jobs.c.status == "queued").scalar_subquery().label("queued")
    active = count.where(jobs.c.status == "running").scalar_subquery().label("active")
    return connection.execute(select(tenants, queued, active).order_by(tenants.c.tenant)).all()


def set_tenant(connection: Connection, tenant: str, weight: float | None, running: int | None, *, usual: bool) -> None:
    """Set a tenant's weight and limit, as far as given; `usual` gives the limit back to the settings."""
    values: dict[str, str | float | None] = {"tenant": tenant}
    if weight is not None:
        values["weight"] = weight
    if running is not None or usual:
        values["running"] = running
    upsert(connection, tenants, ("tenant",), values)


def pause(connection: Connection, tenant: str, paused: bool) -> None:
    """Pause a tenant, or let it go on."""
    upsert(connection, tenants, ("tenant",), {"tenant": tenant, "paused": paused})


def paused(connection: Connection) -> frozenset[str]:
    """The tenants that are paused."""
    return frozenset(connection.execute(PAUSED).scalars())


def limit_of(connection: Connection, tenant: str, usual: int) -> int:
    """How many of a tenant's jobs run at a time; 0: any number, `NONE`: none. `usual` unless its row says."""
    known = LIMIT(connection, {"of_tenant": tenant}).scalar_one_or_none()
    return usual if known is None else int(known)


def _next(connection: Connection, tenant: str, limit: int) -> list[Run]:
    """The queued jobs that have room."""
    return [run for run, _ in _oldest(connection, tenant, limit)]


def _oldest(connection: Connection, tenant: str, limit: int) -> list[tuple[Run, float | None]]:
    """Those with when they were published."""
    mine = jobs.c.tenant == tenant
    running = select(func.count()).select_from(jobs).where(mine, jobs.c.status == "running")
    room = max(0, limit - connection.execute(running).scalar_one())
    columns = (jobs.c.tenant, jobs.c.id, jobs.c.run, jobs.c.published_at)
    queued = select(*columns).where(mine, jobs.c.status == "queued").order_by(jobs.c.created_at, jobs.c.id)
    return [(Run(*row[:3]), row[3]) for row in connection.execute(queued.limit(room))]
