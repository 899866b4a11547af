"""The outbox is a column: what a state says should be on a topic, and `published_at` does not yet say that it is.

A step commits its change together with what it is about to publish; a crash in between leaves rows that `unpublished_*`
finds. Publishing twice is harmless, since every step may run twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, exists, not_, select, tuple_, update

from streamapp.identity import Run
from streamapp.store.chunks import FLYING, ChunkKey
from streamapp.store.ledger import Due
from streamapp.store.schema import chunks, clock, dead_letters, deliveries, jobs
from streamapp.store.sql import AnyRow

__all__ = [
    "chunks_published",
    "deliveries_published",
    "forget_chunks",
    "forget_deliveries",
    "forget_jobs",
    "jobs_published",
    "unpublished_chunks",
    "unpublished_jobs",
]


def jobs_published(connection: Connection, runs: Sequence[Run]) -> None:
    """The broker has these jobs."""
    keys = tuple_(jobs.c.tenant, jobs.c.id, jobs.c.run).in_([(run.tenant, run.job, run.run) for run in runs])
    connection.execute(update(jobs).where(keys).values(published_at=clock()))


def chunks_published(connection: Connection, keys: Sequence[ChunkKey]) -> None:
    """The broker has these chunks."""
    columns = (chunks.c.tenant, chunks.c.job, chunks.c.run, chunks.c.step, chunks.c.predictor, chunks.c.chunk)
    values = [(key.run.tenant, key.run.job, key.run.run, key.step, key.predictor, key.chunk) for key in keys]
    connection.execute(update(chunks).where(tuple_(*columns).in_(values)).values(published_at=clock()))


def deliveries_published(connection: Connection, due: Sequence[Due]) -> None:
    """The broker has these deliveries.

    One that has been tried since is left alone: that attempt may have failed before this is noted, and then the
    message for the next one is yet to be published.
    """
    seen = tuple_(deliveries.c.id, deliveries.c.attempts).in_([(each.id, each.attempts) for each in due])
    connection.execute(update(deliveries).where(seen).values(published_at=clock()))


def unpublished_jobs(connection: Connection, grace_s: float, limit: int) -> Sequence[AnyRow]:
    """Queued jobs that were reserved more than `grace_s` seconds ago and that the broker may not have."""
    left = and_(jobs.c.status == "queued", jobs.c.published_at.is_(None), jobs.c.created_at < clock() - grace_s)
    return connection.execute(select(jobs.c.tenant, jobs.c.id, jobs.c.run).where(left).limit(limit)).all()


def unpublished_chunks(connection: Connection, grace_s: float, limit: int) -> Sequence[AnyRow]:
    """Chunks that were given a credit more than `grace_s` seconds ago and that the broker may not have."""
    left = and_(chunks.c.state == FLYING, chunks.c.published_at.is_(None), chunks.c.flying_at < clock() - grace_s)
    query = (
        select(chunks, jobs.c.document, jobs.c.media_type, jobs.c.deadline, jobs.c.size.label("document_size"))
        .join(jobs, and_(jobs.c.tenant == chunks.c.tenant, jobs.c.id == chunks.c.job))
        .where(left)
        .limit(limit)
    )
    return connection.execute(query).all()


def forget_jobs(connection: Connection, age_s: float) -> int:
    """Queued jobs whose message is lost are unpublished again. Returns how many."""
    lost = and_(jobs.c.status == "queued", jobs.c.published_at < clock() - age_s, not_(_buried(jobs.c.id)))
    return connection.execute(update(jobs).where(lost).values(published_at=None)).rowcount


def forget_chunks(connection: Connection, predictor: str, age_s: float) -> int:
    """Flying chunks whose message, or whose result's, is lost are unpublished again. Returns how many."""
    flying = and_(chunks.c.state == FLYING, chunks.c.predictor == predictor)
    lost = and_(flying, chunks.c.published_at < clock() - age_s, not_(_buried(chunks.c.job)))
    return connection.execute(update(chunks).where(lost).values(published_at=None)).rowcount


def forget_deliveries(connection: Connection, kind: str, age_s: float) -> int:
    """Pending deliveries whose message is lost are unpublished again. Returns how many."""
    waits = and_(deliveries.c.state == "pending", deliveries.c.kind == kind, deliveries.c.next_attempt_at.is_(None))
    lost = and_(waits, deliveries.c.published_at < clock() - age_s)
    return connection.execute(update(deliveries).where(lost).values(published_at=None)).rowcount


def _buried(job: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a message of this job is an open dead letter."""
    return exists().where(dead_letters.c.job == job, dead_letters.c.state == "open")
