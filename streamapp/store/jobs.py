"""The jobs' rows: reading them, and the transitions between their states.

::

    queued ──▶ running ──▶ succeeded
       │          ├──────▶ failed
       └──────────┴──────▶ cancelled, expired

Every transition names the run, and the states it may start from, in its WHERE: what comes late or twice changes nothing
and is told so. A terminal state never changes within a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from streamapp.identity import Run
from streamapp.store.cursor import Cursor
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.sql import AnyRow

__all__ = ["end", "find", "get", "is_running", "newest", "overdue", "waiting_for"]


def _is(run: Run) -> Any:
    return and_(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)


def get(connection: Connection, run: Run, *, lock: bool = False) -> AnyRow | None:
    """That run of the job, or None when there is no such job or it is at another run.

    With `lock` it stays as it is until this transaction ends.
    """
    query = select(jobs).where(_is(run))
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def find(connection: Connection, tenant: str, job: str) -> AnyRow | None:
    """The job at its newest run."""
    return connection.execute(select(jobs).where(jobs.c.tenant == tenant, jobs.c.id == job)).one_or_none()


def newest(connection: Connection, tenant: str, limit: int, after: Cursor | None = None) -> Sequence[AnyRow]:
    """A page of a tenant's jobs, newest first."""
    query = (
        select(jobs).where(jobs.c.tenant == tenant).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    )
    if after is not None:
        same_time = and_(jobs.c.created_at == after.created_at, jobs.c.id < after.id)
        query = query.where(or_(jobs.c.created_at < after.created_at, same_time))
    return connection.execute(query).all()


def is_running(connection: Connection, run: Run, step: int) -> bool:
    """Whether that run is at that step, so that work on it still counts."""
    row = get(connection, run)
    return row is not None and row.status == "running" and row.step == step


def end(connection: Connection, /, run: Run, status: str, error: str | None = None, **noted: Any) -> bool:
    """Bring a queued or running job to a terminal state and drop its chunks. False when it was there already.

    What else is to be noted then is given as columns.
    """
    ended = update(jobs).where(_is(run), jobs.c.status.in_(("queued", "running")))
    values: dict[str, Any] = {"status": status, "error": error, "finished_at": clock(), "unfinished": 0, "waiting": 0}
    if status == "succeeded":
        values |= {"started_at": func.coalesce(jobs.c.started_at, clock()), "done": jobs.c.total}
    changed = connection.execute(ended.values(**(values | noted))).rowcount
    if changed:
        mine = and_(chunks.c.tenant == run.tenant, chunks.c.job == run.job, chunks.c.run == run.run)
        connection.execute(delete(chunks).where(mine))
    return changed == 1


def overdue(connection: Connection, job_timeout_s: float, limit: int) -> Sequence[AnyRow]:
    """Jobs past their deadline (``late``), or running for longer than a job may."""
    active = jobs.c.status.in_(("queued", "running"))
    late = and_(jobs.c.deadline.is_not(None), jobs.c.deadline < clock())
    endless = and_(jobs.c.status == "running", jobs.c.started_at < clock() - job_timeout_s)
    columns = (jobs.c.tenant, jobs.c.id, jobs.c.run, late.label("late"))
    return connection.execute(select(*columns).where(active, or_(late, endless)).limit(limit)).all()


def waiting_for(connection: Connection) -> int:
    """Jobs that are not in a terminal state."""
    active = jobs.c.status.in_(("queued", "running"))
    return connection.execute(select(func.count()).select_from(jobs).where(active)).scalar_one()
