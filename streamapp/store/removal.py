"""Removing finished jobs, after their time or when their owner says so, with all that they stored, a little at a time.

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
    mine = and_(deliveries.c.tenant == jobs.c.tenant, deliveries.c.job == jobs.c.id)
    unsettled = exists().where(mine, deliveries.c.state.in_(UNSETTLED))
    columns = (jobs.c.tenant, jobs.c.id, jobs.c.document)
    return connection.execute(select(*columns).where(_over(keep_s), not_(unsettled)).limit(limit)).all()


def remove(connection: Connection, keep_s: float | None, keys: Sequence[tuple[str, str]], most: int) -> bool:
    """Remove at most `most` rows of these jobs, the jobs themselves last. True when nothing of them is left.

    Only of those that ended more than `keep_s` seconds ago, at any time where that is None: one that was started again
    since it was looked for is let be, with all that it has.
    """
    rows = connection.execute(select(jobs).where(_over(keep_s), _named(jobs, keys)).with_for_update()).all()
    keys, left = [(row.tenant, row.id) for row in rows], most
    for table in DEPENDENT:
        left -= _remove_some(connection, table, keys, left)
        if left <= 0:
            return False
    for row in rows[:left]:
        _leave_tombstone(connection, row)
    connection.execute(delete(jobs).where(_named(jobs, keys[:left])))
    return len(rows) <= left


def _leave_tombstone(connection: Connection, row: AnyRow) -> None:
    names = ("tenant", "run", "body_hash", "idempotency_key", "status")
    values = {"job": row.id, **{name: getattr(row, name) for name in names}}
    insert_or_ignore(connection, tombstones, values, "removed_at")


def _over(keep_s: float | None) -> ColumnElement[bool]:
    ended = jobs.c.status.in_(FINAL)
    return ended if keep_s is None else and_(ended, jobs.c.finished_at < clock() - keep_s)


def _named(table: Table, keys: Sequence[tuple[str, str]]) -> ColumnElement[bool]:
    return tuple_(table.c.tenant, table.c.id if table is jobs else table.c.job).in_(keys)


def forget(connection: Connection, after_s: float, most: int) -> int:
    """Remove at most `most` tombstones and notes of e-mails of more than `after_s` seconds ago. Returns how many."""
    old = select(tombstones.c.tenant, tombstones.c.job).where(tombstones.c.removed_at < clock() - after_s).limit(most)
    gone = connection.execute(delete(tombstones).where(tuple_(tombstones.c.tenant, tombstones.c.job).in_(old)))
    noted = select(spoken_for.c.delivery).where(spoken_for.c.noted_at < clock() - after_s).limit(most)
    settled = connection.execute(delete(spoken_for).where(spoken_for.c.delivery.in_(noted)))
    return gone.rowcount + settled.rowcount


def _remove_some(connection: Connection, table: Table, keys: Sequence[tuple[str, str]], most: int) -> int:
    identity: list[Column[object]] = list(table.primary_key.columns)
    some = select(*identity).where(_named(table, keys)).limit(most)
    return connection.execute(delete(table).where(tuple_(*identity).in_(some))).rowcount
