"""Where a job starts that joins those that wait for credits: it neither jumps ahead of them nor owes them anything.

It starts level with the least served of those of its tenant that have had credits and wait for more. Those of which
nothing has flown yet do not count: they stand where they joined, and while such ones keep coming, nothing would ever
rise. When none waits it starts level with the most served there is, so that nobody who was busy before owes for it
later. The tenant, if it waits for nothing, joins the other tenants in the same way. Only those count that want the same
predictors: who waits for one that hangs is served nothing, and would draw the newcomers of the others down with it.

Sources: Waldspurger and Weihl, Stride Scheduling (1995), "dynamic client participation"; Goyal, Vin and Cheng,
Start-time Fair Queueing (1996), for the level when nobody waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, not_, select, update

from streamapp.identity import Run
from streamapp.store.schema import chunks, jobs, tenants

__all__ = ["WAITING", "is_new", "join", "waits_for"]

WAITING = "waiting"


def waits_for(of: Table, predictors: Sequence[str]) -> ColumnElement[bool]:
    """Whether a job (a row of `jobs` or an alias of it) has a chunk for one of these that waits for a credit."""
    return exists().where(*_its(of, predictors), chunks.c.state == WAITING)


def is_new() -> ColumnElement[bool]:
    """Whether nothing of a running job has flown yet."""
    return and_(jobs.c.done == 0, jobs.c.waiting == jobs.c.unfinished, jobs.c.unfinished > 0)


def join(connection: Connection, run: Run, predictors: Sequence[str]) -> float:
    """The pass that a run starts a step with; its tenant's is raised too if it joins the others just now."""
    waits = and_(jobs.c.status == "running", jobs.c.waiting > 0, waits_for(jobs, predictors))
    least = select(func.min(jobs.c.served)).where(waits, jobs.c.tenant == run.tenant)
    level = connection.execute(least.where(not_(is_new()))).scalar_one()
    newcomers = connection.execute(least).scalar_one()
    if newcomers is None:
        _join_tenants(connection, run.tenant, waits)
    if level is None:
        mine = and_(jobs.c.tenant == run.tenant, jobs.c.status == "running", not_(is_new()))
        most = select(func.max(jobs.c.served)).where(mine, exists().where(*_its(jobs, predictors)))
        level = connection.execute(most).scalar_one()
    if level is None:
        level = newcomers
    before = select(jobs.c.served).where(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)
    return max(float(level or 0.0), float(connection.execute(before).scalar_one_or_none() or 0.0))


def _its(of: Table, predictors: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    same = (chunks.c.tenant == of.c.tenant, chunks.c.job == of.c.id, chunks.c.run == of.c.run)
    return (*same, chunks.c.predictor.in_(predictors))


def _join_tenants(connection: Connection, tenant: str, waits: ColumnElement[bool]) -> None:
    others = and_(tenants.c.tenant.in_(select(jobs.c.tenant).where(waits)), not_(tenants.c.tenant == tenant))
    level = connection.execute(select(func.min(tenants.c.served)).where(others)).scalar_one()
    if level is None:
        level = connection.execute(select(func.max(tenants.c.served))).scalar_one()
    if level is not None:
        behind = and_(tenants.c.tenant == tenant, tenants.c.served < level)
        connection.execute(update(tenants).where(behind).values(served=level))
