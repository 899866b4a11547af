"""Another run of a job that ended without a result.

The job keeps its id, its key and its place by age; its run grows, so that whatever still comes of an older one (a
result, a message, a delivery) is not of this one. What the older runs left goes: chunks, a report, and notices that
nobody has begun to send. An open dead letter of theirs is discarded: sent on its way again it would change nothing, and
while it is open nobody looks for lost messages of this job (`streamapp.store.suspects`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Table, and_, bindparam, case, delete, null, select, update

from streamapp.identity import Run
from streamapp.store.dead_letters import DISCARDED, OPEN
from streamapp.store.schema import chunks, clock, deliveries, files, jobs, reports
from streamapp.store.sql import AnyRow, its, of_run
from streamapp.store.upkeep import dead_letters

__all__ = ["RETRIABLE", "again"]

RETRIABLE = ("failed", "cancelled", "expired")
_ANEW: dict[str, Any] = {
    "run": jobs.c.run + 1,
    "status": "queued",
    **dict.fromkeys(("step", "done", "total", "unfinished", "waiting", "served", "remembered"), 0),
    **dict.fromkeys(("error", "started_at", "finished_at", "remembered_at"), null()),
    **dict.fromkeys(("published_at", "sent_partition", "sent_offset"), null()),
}
_ENDED = update(jobs).where(of_run(jobs), jobs.c.status.in_(RETRIABLE)).values(**_ANEW)
# a deadline that has passed was that of the run before
AGAIN = _ENDED.values(deadline=case((jobs.c.deadline > clock(), jobs.c.deadline), else_=null()))
AGAIN_UNTIL = _ENDED.values(deadline=bindparam("to_deadline", type_=Double()))


def _older(table: Table) -> ColumnElement[bool]:
    job = and_(table.c.tenant == bindparam("of_tenant"), table.c.job == bindparam("of_job"))
    return and_(job, table.c.run <= bindparam("of_run"))


DROPS = [delete(table).where(_older(table)) for table in (chunks, files, reports)]
WITHDRAW = delete(deliveries).where(_older(deliveries), deliveries.c.state == "pending", deliveries.c.in_doubt == 0)
DISCARD = (
    update(dead_letters)
    .where(dead_letters.c.tenant == bindparam("of_tenant"), dead_letters.c.job == bindparam("of_job"))
    .where(dead_letters.c.state == OPEN, dead_letters.c.delivery.is_(None))
    .values(state=DISCARDED)
)
FIND = select(jobs).where(jobs.c.tenant == bindparam("of_tenant"), jobs.c.id == bindparam("of_job"))


def again(
    connection: Connection, run: Run, deadline: float | None = None, *, keep_deadline: bool = True
) -> AnyRow | None:
    """Queue the run after this one, and drop what is left of this and the older ones. Returns the job's row.

    None when the job is at another run, has not ended, or has succeeded. A deadline that lies ahead is kept, unless
    another is given, or None with `keep_deadline` false.
    """
    if keep_deadline:
        changed = connection.execute(AGAIN, its(run)).rowcount
    else:
        changed = connection.execute(AGAIN_UNTIL, {**its(run), "to_deadline": deadline}).rowcount
    if changed != 1:
        return None
    for statement in (*DROPS, WITHDRAW):
        connection.execute(statement, its(run))
    mine = {"of_tenant": run.tenant, "of_job": run.job}
    connection.execute(DISCARD, mine)
    return connection.execute(FIND, mine).one()
