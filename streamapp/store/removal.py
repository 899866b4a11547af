"""Removing finished jobs after their time, with all that they stored, a little at a time.

A job that goes leaves a tombstone. It outlives every message that may still come of the job, so that what comes late
changes nothing, and neither its id nor its idempotency key starts it again as if it were new.

Times are compared as they stand (see `streamapp.store.times`): nothing is removed early because a clock was set back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, exists, not_, select, tuple_

from streamapp.store.schema import chunks, clock, deliveries, files, inbox, jobs, reports
from streamapp.store.sql import AnyRow, insert_or_ignore
from streamapp.store.upkeep import dead_letters, spoken_for, tombstones

__all__ = ["due_for_removal", "forget", "remove"]

FINAL = ("succeeded", "failed", "cancelled", "expired")
UNSETTLED = ("pending", "sending", "parked")  # somebody still waits for these, or is to decide about them
DEPENDENT: tuple[Table, ...] = (chunks, files, reports, deliveries, inbox, dead_letters)


class Key(NamedTuple):
    """A job."""

    tenant: str
    job: str


def due_for_removal(connection: Connection, keep_s: float, limit: int) -> Sequence[AnyRow]:
    """Jobs that ended more than `keep_s` seconds ago and have no delivery under way: their keys and documents."""
    old = and_(jobs.c.status.in_(FINAL), jobs.c.finished_at < clock() - keep_s)
    mine = and_(deliveries.c.tenant == jobs.c.tenant, deliveries.c.job == jobs.c.id)
    unsettled = exists().where(mine, deliveries.c.state.in_(UNSETTLED))
    columns = (jobs.c.tenant, jobs.c.id, jobs.c.document)
    return connection.execute(select(*columns).where(old, not_(unsettled)).limit(limit)).all()


def remove(connection: Connection, keep_s: float, keys: Sequence[tuple[str, str]], most: int) -> bool:
    """Remove at most `most` rows of these jobs, the jobs themselves last. True when nothing of them is left."""
    left = most
    for table in DEPENDENT:
        left -= _remove_some(connection, table, keys, left)
        if left <= 0:
            return False
    still = and_(
        tuple_(jobs.c.tenant, jobs.c.id).in_(keys), jobs.c.status.in_(FINAL), jobs.c.finished_at < clock() - keep_s
    )
    rows = connection.execute(select(jobs).where(still).limit(left)).all()
    for row in rows:
        insert_or_ignore(
            connection,
            tombstones,
            {
                "tenant": row.tenant,
                "job": row.id,
                "run": row.run,
                "body_hash": row.body_hash,
                "idempotency_key": row.idempotency_key,
                "status": row.status,
            },
            "removed_at",
        )
    gone = [(row.tenant, row.id) for row in rows]
    connection.execute(delete(jobs).where(tuple_(jobs.c.tenant, jobs.c.id).in_(gone)))
    return len(rows) < left


def forget(connection: Connection, after_s: float, most: int) -> int:
    """Remove at most `most` tombstones and notes of e-mails of more than `after_s` seconds ago. Returns how many."""
    old = select(tombstones.c.tenant, tombstones.c.job).where(tombstones.c.removed_at < clock() - after_s).limit(most)
    gone = connection.execute(delete(tombstones).where(tuple_(tombstones.c.tenant, tombstones.c.job).in_(old)))
    noted = select(spoken_for.c.delivery).where(spoken_for.c.noted_at < clock() - after_s).limit(most)
    settled = connection.execute(delete(spoken_for).where(spoken_for.c.delivery.in_(noted)))
    return gone.rowcount + settled.rowcount


def _remove_some(connection: Connection, table: Table, keys: Sequence[tuple[str, str]], most: int) -> int:
    identity: list[Column[object]] = list(table.primary_key.columns)
    which: ColumnElement[bool] = tuple_(table.c.tenant, table.c.job).in_(keys)
    some = select(*identity).where(which).limit(most)
    return connection.execute(delete(table).where(tuple_(*identity).in_(some))).rowcount
