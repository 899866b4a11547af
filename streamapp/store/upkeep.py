"""The tables that keep the service going: no job needs them to be understood. They belong to the schema beside this."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, String, Table, Text

from streamapp.store.schema import JOB, TENANT, metadata

__all__ = ["dead_letters", "leases", "remembered", "spoken_for", "tombstones", "workers"]

# results by what they depend on, to answer the same work again
remembered = Table(
    "remembered",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("predictor", String(100), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    Column("outcomes", LargeBinary, nullable=False),  # JSON array, without errors
    Index("remembered_by_use", "tenant", "used_at", "bytes"),
    Index("remembered_by_age", "made_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(400), nullable=False, unique=True),  # where it stood last, or the delivery
    Column("topic", String(249)),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("delivery", String(64)),
    Column("state", String(9), nullable=False),  # open, redriven, discarded
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("tenant", TENANT),
    Column("job", JOB),
    Index("dead_letters_by_state", "state", "id"),
    Index("dead_letters_by_job", "job"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("device", String(50), nullable=False),
    Column("predictors", Text, nullable=False),  # JSON array
    Column("items_done", Integer, nullable=False),
    Column("chunks_done", Integer, nullable=False),
    Column("seconds_busy", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)

# what only one worker does at a time, and who does it
leases = Table(
    "leases",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("taken_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
)

# what is left of a job that was removed, until no message of it can come any more
tombstones = Table(
    "tombstones",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("job", JOB, primary_key=True),
    Column("run", Integer, nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("status", String(10), nullable=False),
    Column("removed_at", Double, nullable=False),
    Index("tombstones_by_key", "tenant", "idempotency_key"),
    Index("tombstones_by_age", "removed_at"),
)

# deliveries that were at work after the moment to which the store was set back: none of them may go out unasked
spoken_for = Table(
    "spoken_for",
    metadata,
    Column("delivery", String(64), primary_key=True),
    Column("noted_at", Double, nullable=False),
)
