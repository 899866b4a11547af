"""The outbox is a column: what a state says should be on a topic, and `published_at` does not yet say that it is.

A step commits its change together with what it is about to publish; a crash in between leaves rows that `unpublished_*`
finds. Publishing twice is harmless, since every step may run twice. Beside the time stands the place, partition and
offset, where the broker put the message: `streamapp.store.suspects` compares it with what the groups have read.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, Update, and_, bindparam, select, update

from streamapp.identity import Run
from streamapp.store.chunks import FLYING, ChunkKey
from streamapp.store.dueness import due_at
from streamapp.store.ledger import Due
from streamapp.store.often import Often
from streamapp.store.rooms import bounded, let_in, put_back
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.times import elapsed

__all__ = [
    "Where",
    "chunks_published",
    "deliveries_published",
    "jobs_published",
    "unpublished_chunks",
    "unpublished_jobs",
]

#: The partition and the offset of a message.
Where = tuple[int, int]


def _published(table: Table, *key: str) -> Update:
    """For one row, and run for each: several hundred in an IN take longer to spell than to run."""
    named = (table.c[name] == bindparam(f"key_{name}") for name in key)
    statement = update(table).where(*named).values(published_at=clock())
    return statement.values(sent_partition=bindparam("partition"), sent_offset=bindparam("offset"))


JOB = Often(_published(jobs, "tenant", "id", "run"))
CHUNK = Often(_published(chunks, "tenant", "job", "run", "step", "predictor", "chunk"))
DELIVERY = Often(_published(deliveries, "id", "attempts").where(due_at() == bindparam("key_due_at")))


def jobs_published(connection: Connection, runs: Sequence[Run], places: Sequence[Where], room: int = 0) -> None:
    """The broker has these jobs, each at its place. Those without room are let be by the planner: not noted."""
    rows = [
        {"key_tenant": run.tenant, "key_id": run.job, "key_run": run.run, "partition": partition, "offset": offset}
        for run, (partition, offset) in zip(runs, places, strict=True)
    ]
    if rows:
        JOB.each(connection, rows)
        put_back(connection, runs, room)


def chunks_published(connection: Connection, keys: Sequence[ChunkKey], places: Sequence[Where]) -> None:
    """The broker has these chunks, each at its place."""
    rows = [
        {
            "key_tenant": key.run.tenant,
            "key_job": key.run.job,
            "key_run": key.run.run,
            "key_step": key.step,
            "key_predictor": key.predictor,
            "key_chunk": key.chunk,
            "partition": partition,
            "offset": offset,
        }
        for key, (partition, offset) in zip(keys, places, strict=True)
    ]
    CHUNK.each(connection, rows)


def deliveries_published(connection: Connection, due: Sequence[Due], places: Sequence[Where]) -> None:
    """The broker has these deliveries, each at its place.

    One that has been tried or put off since is left alone: that may have been before this is noted, and then the
    message for the next time is yet to be published.
    """
    rows = [
        {
            "key_id": each.id,
            "key_attempts": each.attempts,
            "key_due_at": each.due_at,
            "partition": partition,
            "offset": offset,
        }
        for each, (partition, offset) in zip(due, places, strict=True)
    ]
    DELIVERY.each(connection, rows)


def unpublished_jobs(connection: Connection, grace_s: float, limit: int, room: int = 0) -> Sequence[AnyRow]:
    """Queued jobs with room that were reserved more than `grace_s` seconds ago and that the broker may not have."""
    left = and_(jobs.c.status == "queued", jobs.c.published_at.is_(None), elapsed(jobs.c.created_at, grace_s))
    held = bounded(connection, room)
    query = select(jobs.c.tenant, jobs.c.id, jobs.c.run).where(left).order_by(jobs.c.created_at, jobs.c.id).limit(limit)
    if not held:
        return connection.execute(query).all()
    found = list(connection.execute(query.where(jobs.c.tenant.not_in(list(held)))))
    for tenant in held:
        ready = {run.job for run in let_in(connection, tenant, room)}
        found += connection.execute(query.where(jobs.c.tenant == tenant, jobs.c.id.in_(ready)))
    return found[:limit]


def unpublished_chunks(connection: Connection, grace_s: float, limit: int) -> Sequence[AnyRow]:
    """Chunks that were given a credit more than `grace_s` seconds ago and that the broker may not have."""
    left = and_(chunks.c.state == FLYING, chunks.c.published_at.is_(None), elapsed(chunks.c.flying_at, grace_s))
    query = (
        select(chunks, jobs.c.document, jobs.c.media_type, jobs.c.deadline, jobs.c.size.label("document_size"))
        .join(jobs, and_(jobs.c.tenant == chunks.c.tenant, jobs.c.id == chunks.c.job))
        .where(left)
        .limit(limit)
    )
    return connection.execute(query).all()
