"""The jobs' rows: reading them, and the transitions between their states.

::

    queued ──▶ running ──▶ succeeded
       │          ├──────▶ failed
       └──────────┴──────▶ cancelled, expired

Every transition names the run, and the states it may start from, in its WHERE: what comes late or twice changes nothing
and is told so. A terminal state never changes within a run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, tuple_, update

from streamapp.identity import Run
from streamapp.store.chunks import STORED
from streamapp.store.numbering import feed_number
from streamapp.store.often import Often
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.sql import AnyRow, its, of_run

__all__ = ["ACTIVE", "active_of", "end", "find", "get", "is_late", "is_running", "overdue", "waiting_for"]

ACTIVE = ("queued", "running")
AT_ONCE = 500  # runs in a statement

_GET = select(jobs).where(of_run(jobs))
GET = Often(_GET)
LOCK = Often(_GET.with_for_update())
LATE = Often(select(jobs.c.id).where(of_run(jobs), jobs.c.deadline < clock()))
FIND = Often(select(jobs).where(jobs.c.tenant == bindparam("of_tenant"), jobs.c.id == bindparam("of_job")))
STILL = select(jobs.c.tenant, jobs.c.id, jobs.c.run).where(
    tuple_(jobs.c.tenant, jobs.c.id, jobs.c.run).in_(bindparam("keys", expanding=True)), jobs.c.status.in_(ACTIVE)
)
DROP = Often(delete(chunks).where(of_run(chunks)))
DROP_OPEN = Often(delete(chunks).where(of_run(chunks), chunks.c.state != STORED))
_ENDED = (
    update(jobs)
    .where(of_run(jobs), jobs.c.status.in_(ACTIVE))
    .values(status=bindparam("to_status"), error=bindparam("to_error"), finished_at=clock(), unfinished=0, waiting=0)
    .values(feed=feed_number(jobs.c.tenant))
)
_SUCCEEDED = _ENDED.values(started_at=func.coalesce(jobs.c.started_at, clock()), done=jobs.c.total)
ENDED, SUCCEEDED = Often(_ENDED), Often(_SUCCEEDED)


def get(connection: Connection, run: Run, *, lock: bool = False) -> AnyRow | None:
    """That run of the job, or None when there is no such job or it is at another run.

    With `lock` it stays as it is until this transaction ends.
    """
    return (LOCK if lock else GET)(connection, its(run)).one_or_none()


def find(connection: Connection, tenant: str, job: str) -> AnyRow | None:
    """The job at its newest run."""
    return FIND(connection, {"of_tenant": tenant, "of_job": job}).one_or_none()


def active_of(connection: Connection, runs: Collection[Run]) -> set[Run]:
    """Those of these runs that have not ended, and are not followed by another."""
    keys = [(run.tenant, run.job, run.run) for run in runs]
    parts = (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))
    return {Run(*row) for part in parts for row in connection.execute(STILL, {"keys": part})}


def is_running(connection: Connection, run: Run, step: int) -> bool:
    """Whether that run is at that step, so that work on it still counts."""
    row = get(connection, run)
    return row is not None and row.status == "running" and row.step == step


def end(connection: Connection, /, run: Run, status: str, error: str | None = None, **noted: Any) -> bool:
    """Bring a queued or running job to a terminal state and drop its chunks. False when it was there already.

    Without a result, what was computed by then stays: `streamapp.jobs.partial` can make something of it. What else is
    to be noted then is given as columns.
    """
    succeeded = status == "succeeded"
    values = {**its(run), "to_status": status, "to_error": error}
    if noted:
        changed = connection.execute((_SUCCEEDED if succeeded else _ENDED).values(**noted), values).rowcount
    else:
        changed = (SUCCEEDED if succeeded else ENDED)(connection, values).rowcount
    if changed:
        (DROP if succeeded else DROP_OPEN)(connection, its(run))
    return changed == 1


def is_late(connection: Connection, run: Run) -> bool:
    """Whether that run's deadline has passed."""
    return LATE(connection, its(run)).one_or_none() is not None


def overdue(connection: Connection, job_timeout_s: float, limit: int) -> Sequence[AnyRow]:
    """Jobs past their deadline (``late``), or running for longer than a job may."""
    active = jobs.c.status.in_(ACTIVE)
    late = and_(jobs.c.deadline.is_not(None), jobs.c.deadline < clock())
    endless = and_(jobs.c.status == "running", jobs.c.started_at < clock() - job_timeout_s)
    columns = (jobs.c.tenant, jobs.c.id, jobs.c.run, late.label("late"))
    return connection.execute(select(*columns).where(active, or_(late, endless)).limit(limit)).all()


def open_by_task(connection: Connection) -> dict[str, int]:
    """How many jobs of each task have not ended."""
    query = select(jobs.c.task, func.count()).where(jobs.c.status.in_(ACTIVE)).group_by(jobs.c.task)
    return {task: count for task, count in connection.execute(query.order_by(jobs.c.task))}


def waiting_for(connection: Connection) -> int:
    """Jobs that are not in a terminal state."""
    active = jobs.c.status.in_(ACTIVE)
    return connection.execute(select(func.count()).select_from(jobs).where(active)).scalar_one()
