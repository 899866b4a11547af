"""The tables: the truth about every job. SQLite and PostgreSQL run the same statements.

Times are seconds since the epoch by the *database's* clock (`clock()`), because leases are compared between machines.
Names and states are text, so that an operator can read the tables.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = [
    "ACTIVE",
    "chunks",
    "clock",
    "deliveries",
    "files",
    "inbox",
    "jobs",
    "metadata",
    "reports",
    "tenants",
]


class clock(FunctionElement[float]):  # noqa: N801 - reads like the SQL function that it is
    """The database's clock: seconds since the epoch, with fractions."""

    type = Double()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(element: Any, compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _postgresql_clock(element: Any, compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


metadata = MetaData()

ACTIVE = "status IN ('queued', 'running')"
TENANT = String(64)
JOB = String(36)
_NUMBERED = text("feed IS NOT NULL")
# as `streamapp.store.joining` says it; not `>`, for which SQLite would take `jobs_by_status`, and sort what it finds
_WAITS = text("status = 'running' AND waiting <> 0")
_SERVED = text("status = 'running' AND NOT (done = 0 AND waiting = unfinished AND unfinished > 0)")

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("weight", Double, nullable=False, server_default="1"),
    Column("served", Double, nullable=False, server_default="0"),  # the stride scheduler's pass
    Column("turn", Integer, nullable=False, server_default="0"),  # 0: the next credit is for a newcomer, if one waits
    Column("running", Integer),  # how many of its jobs may run at a time, 0: any number; null: as the settings say
    Column("paused", Boolean, nullable=False, server_default=false()),  # nothing new is taken or begun
)

jobs = Table(
    "jobs",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("id", JOB, primary_key=True),
    Column("run", Integer, nullable=False),
    Column("task", String(100), nullable=False),
    Column("params", Text, nullable=False),
    Column("name", String(200)),
    Column("document", Text, nullable=False),  # the claim check: a data: or blob: URL
    Column("media_type", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("email", String(320)),
    Column("webhook", String(2048)),
    Column("priority", Integer, nullable=False),
    Column("deadline", Double),
    Column("status", String(10), nullable=False),
    Column("step", Integer, nullable=False),
    Column("done", Integer, nullable=False),  # items through, of all steps so far
    Column("total", Integer, nullable=False),
    Column("unfinished", Integer, nullable=False),  # chunks of this step without a stored result
    Column("waiting", Integer, nullable=False),  # chunks of this step without a credit
    Column("served", Double, nullable=False),  # the stride scheduler's pass
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("published_at", Double),  # outbox: null until the broker has the Job
    Column("sent_partition", Integer),  # where the broker put it last
    Column("sent_offset", BigInteger),
    Column("work_hash", String(64)),  # what its report depends on; null: nobody else may get that
    Column("content_hash", String(64)),  # of the document, where results that are remembered depend on it
    Column("fresh", Boolean, nullable=False, server_default=false()),  # nothing is to be answered from memory
    Column("remembered", Integer, nullable=False, server_default="0"),  # items that were
    Column("remembered_at", Double),  # when the oldest of these was computed
    Column("feed", BigInteger),  # its number in the tenant's feed, once it has ended
    UniqueConstraint("tenant", "idempotency_key", name="jobs_idempotency_key"),
    Index("jobs_by_status", "status", "waiting"),
    Index("jobs_by_age", "tenant", "created_at", "id"),
    Index("jobs_by_state", "tenant", "status", "created_at", "id"),
    Index("jobs_by_task", "tenant", "task", "created_at", "id"),
    Index(
        "jobs_by_email",
        "tenant",
        "email",
        "created_at",
        "id",
        sqlite_where=text("email IS NOT NULL"),
        postgresql_where=text("email IS NOT NULL"),
    ),
    Index(
        "jobs_by_recipient",
        "email",
        "created_at",
        sqlite_where=text("email IS NOT NULL"),
        postgresql_where=text("email IS NOT NULL"),
    ),
    Index(
        "jobs_by_work",
        "tenant",
        "work_hash",
        sqlite_where=text("work_hash IS NOT NULL"),
        postgresql_where=text("work_hash IS NOT NULL"),
    ),
    Index("jobs_by_feed", "tenant", "feed", "id", sqlite_where=_NUMBERED, postgresql_where=_NUMBERED),
    Index("jobs_waiting", "tenant", "served", sqlite_where=_WAITS, postgresql_where=_WAITS),
    Index("jobs_served", "tenant", "served", "waiting", sqlite_where=_SERVED, postgresql_where=_SERVED),
)

chunks = Table(
    "chunks",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("job", JOB, primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("predictor", String(100), primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("state", String(7), nullable=False),  # waiting, flying, stored
    Column("size", Integer, nullable=False),  # items
    Column("payload", LargeBinary, nullable=False),  # JSON array
    Column("outcomes", LargeBinary),  # JSON array
    Column("flying_at", Double),
    Column("published_at", Double),  # outbox: null until the broker has the Chunk
    Column("sent_partition", Integer),
    Column("sent_offset", BigInteger),
    Column("stored_at", Double),
    Column("version", Text),  # of the predictor, when it was planned
    Column("digest", String(64)),  # what its result depends on; null: that is not remembered
    # counts what flies, finds what is unpublished, and has each job's waiting chunks in order, all without the payloads
    Index("chunks_by_state", "state", "predictor", "tenant", "job", "run", "step", "chunk"),
)

reports = Table(
    "reports",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("job", JOB, primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text),
    Column("data", Text, nullable=False),
    Column("plot_alt", Text),
    Column("created_at", Double, nullable=False),
)

files = Table(
    "report_files",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("job", JOB, primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),  # 0 is the plot, attachments follow
    Column("name", String(200), nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", TENANT, nullable=False),
    Column("job", JOB, nullable=False),
    Column("run", Integer, nullable=False),
    Column("event", String(20), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("recipient", String(2048), nullable=False),  # an address, a tenant, a URL
    Column("state", String(7), nullable=False),  # pending, sending, sent, parked, dead
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double),
    Column("lease_until", Double),
    Column("lease_owner", String(100)),
    Column("in_doubt", Integer, nullable=False),  # how often a lease ran out between DATA and its answer
    Column("last_error", Text),
    Column("created_at", Double, nullable=False),
    Column("sent_at", Double),
    Column("published_at", Double),  # outbox: null until the broker has the Delivery
    Column("sent_partition", Integer),
    Column("sent_offset", BigInteger),
    Index("deliveries_by_state", "state", "next_attempt_at"),
    Column("feed", BigInteger),  # the number in the tenant's feed of what became of the last attempt
    Index("deliveries_by_job", "tenant", "job"),
    Index("deliveries_by_feed", "tenant", "feed", "id", sqlite_where=_NUMBERED, postgresql_where=_NUMBERED),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("tenant", TENANT, nullable=False),
    Column("delivery", String(64), nullable=False, unique=True),
    Column("job", JOB, nullable=False),
    Column("event", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("read_at", Double),
    Index("inbox_by_tenant", "tenant", "id"),
    Index("inbox_unread", "tenant", sqlite_where=text("read_at IS NULL"), postgresql_where=text("read_at IS NULL")),
)
