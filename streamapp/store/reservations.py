"""Reserving a job: the one moment at which work is accepted. What is committed here is never lost.

A job that was removed has left a tombstone, and its id and key name that: it must not start again as if it were new.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, tuple_

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.store.often import Often
from streamapp.store.schema import clock, jobs, tenants
from streamapp.store.sql import AnyRow, insert_all_or_ignore, insert_or_ignore
from streamapp.store.upkeep import tombstones

__all__ = [
    "COLUMNS",
    "JobRemoved",
    "NewJob",
    "QueueLength",
    "Reservation",
    "reserve",
    "reserve_all",
    "tombstone_of",
    "with_reservations",
]


LONG = 1000  # jobs: what counting them takes is little beside the rest up to here
COUNTED_S = 1.0
UNSET = {**dict.fromkeys(jobs.c.keys()), "remembered": 0}

INSERT = Often(insert(jobs))
NOW = Often(select(clock()))
QUEUED = Often(select(func.count()).where(jobs.c.status == "queued"))
KNOWN_TENANTS = Often(select(tenants.c.tenant).where(tenants.c.tenant.in_(bindparam("names", expanding=True))))
BY_TENANT = tombstones.c.tenant.in_(bindparam("tenants", expanding=True))  # in each, so that an index serves it
REMOVED = select(tombstones).where(
    or_(
        and_(BY_TENANT, tombstones.c.job.in_(bindparam("ids", expanding=True))),
        and_(BY_TENANT, tombstones.c.idempotency_key.in_(bindparam("keys", expanding=True))),
    )
)


class JobRemoved(Permanent):
    """The id or the key names a job that has ended and was removed. ``same``: its body is the one just sent."""

    def __init__(self, tombstone: AnyRow, same: bool) -> None:
        super().__init__(f"job {tombstone.job} has {tombstone.status} and was removed")
        self.tombstone = tombstone
        self.same = same


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated submission. ``named``: the id or the key is a client's, so there may be a job with it already."""

    tenant: str
    id: str
    task: str
    params: str
    name: str | None
    document: str
    media_type: str
    size: int
    body_hash: str
    idempotency_key: str | None = None
    email: str | None = None
    priority: int = 0
    deadline: float | None = None
    work_hash: str | None = None
    content_hash: str | None = None
    fresh: bool = False
    named: bool = True
    webhook: str | None = None


#: The columns that a submission fills.
COLUMNS = tuple(name for name in NewJob.__slots__ if name != "named")


@dataclass(frozen=True, slots=True)
class Reservation:
    """The job that stands under this id or key. ``created``: by this call; ``same``: its body is the one just sent.

    ``position`` is a created job's place in the queue, 1 for the next; in a long one it may be a second old.
    """

    row: AnyRow = field(repr=False)
    created: bool
    same: bool
    position: int | None = None


class QueueLength:
    """How many jobs are queued. A long queue is counted once a second; what joins it meanwhile is added.

    Counting reads an index entry of each: of a hundred thousand, that takes longer than all else of a reservation.
    """

    def __init__(self) -> None:
        self._length = 0
        self._counted_at = 0.0

    def read(self, connection: Connection) -> int:
        """The number: exact while it is small, and else as it was a second ago at most."""
        now = time.monotonic()
        if self._length < LONG or now - self._counted_at > COUNTED_S:
            self._length, self._counted_at = QUEUED(connection).scalar_one(), now
        return self._length

    def grow(self, number: int) -> None:
        """So many have joined."""
        self._length += number


def reserve(connection: Connection, new: NewJob, *, run: int = 1, created_at: float | None = None) -> Reservation:
    """Insert the job, or find the one that its id or its idempotency key already names. Raises `JobRemoved`.

    `run` and `created_at` are given for a job that was accepted before, by a store that is lost.
    """
    (outcome,) = reserve_all(connection, [new], run=run, created_at=created_at)
    if isinstance(outcome, JobRemoved):
        raise outcome
    return outcome


def reserve_all(
    connection: Connection,
    new: Sequence[NewJob],
    *,
    run: int = 1,
    created_at: float | None = None,
    queue: QueueLength | None = None,
) -> list[Reservation | JobRemoved]:
    """The same for many, with as many statements as for one. `queue` is kept from call to call."""
    queue = queue or QueueLength()
    gone = _removed(connection, new)
    _know_tenants(connection, sorted({job.tenant for job in new}))
    place = queue.read(connection)
    moment = NOW(connection).scalar_one() if created_at is None else created_at
    there = [job for job, tombstone in zip(new, gone, strict=True) if tombstone is None]
    inserted = _insert(connection, [_fresh(job, run, moment) for job in there if not job.named])
    inserted |= _insert_or_find(connection, [_fresh(job, run, moment) for job in there if job.named])
    queue.grow(len(inserted))
    outcomes: list[Reservation | JobRemoved] = []
    for job, tombstone in zip(new, gone, strict=True):
        row = inserted.pop((job.tenant, job.id), None)  # the first of two with one id
        if tombstone is not None:
            outcomes.append(JobRemoved(tombstone, tombstone.body_hash == job.body_hash))
        elif row is not None:
            place += 1
            outcomes.append(Reservation(row, created=True, same=True, position=place))
        else:
            row = _named(connection, job)
            outcomes.append(Reservation(row, created=False, same=row.body_hash == job.body_hash))
    return outcomes


def _fresh(new: NewJob, run: int, created_at: float) -> dict[str, Any]:
    """The row of a job that waits to be planned."""
    counts = {"step": 0, "done": 0, "total": 0, "unfinished": 0, "waiting": 0, "served": 0.0}
    given = {name: getattr(new, name) for name in COLUMNS}
    return {**given, **counts, "run": run, "status": "queued", "created_at": created_at}


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], AnyRow]:
    """Insert jobs whose ids are new. Their rows are made up here, because reading them back takes longer than this."""
    INSERT.each(connection, rows)
    return {(row["tenant"], row["id"]): cast(AnyRow, SimpleNamespace(**{**UNSET, **row})) for row in rows}


def _insert_or_find(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], AnyRow]:
    """Insert jobs that may be there already. Returns those that were not."""
    return {(row.tenant, row.id): row for row in insert_all_or_ignore(connection, jobs, rows)}


def _named(connection: Connection, new: NewJob) -> AnyRow:
    mine = select(jobs).where(jobs.c.tenant == new.tenant)
    row = connection.execute(mine.where(jobs.c.id == new.id)).one_or_none()
    return row or connection.execute(mine.where(jobs.c.idempotency_key == new.idempotency_key)).one()


def _know_tenants(connection: Connection, names: Sequence[str]) -> None:
    known = {row.tenant for row in KNOWN_TENANTS(connection, {"names": names})}
    for name in names:
        if name not in known:
            insert_or_ignore(connection, tenants, {"tenant": name})


def _removed(connection: Connection, new: Sequence[NewJob]) -> list[AnyRow | None]:
    """For each, what is left of a removed job with its id or its key."""
    named = [job for job in new if job.named]
    keys = [job.idempotency_key for job in named if job.idempotency_key is not None]
    owners = sorted({job.tenant for job in named})
    found = named and connection.execute(REMOVED, {"tenants": owners, "ids": [job.id for job in named], "keys": keys})
    if not found or found.first() is None:
        return [None] * len(new)
    return [tombstone_of(connection, job.tenant, job.id, job.idempotency_key) for job in new]


def tombstone_of(connection: Connection, tenant: str, job: str, key: str | None) -> AnyRow | None:
    """What is left of a removed job with that id or that idempotency key."""
    named = tombstones.c.job == job
    if key is not None:
        named = or_(named, tombstones.c.idempotency_key == key)
    return connection.execute(select(tombstones).where(tombstones.c.tenant == tenant, named)).first()


def with_reservations(connection: Connection, runs: Sequence[Run]) -> dict[Run, AnyRow]:
    """The rows of these runs, as far as there are such."""
    keys = [(run.tenant, run.job, run.run) for run in runs]
    found = connection.execute(select(jobs).where(and_(tuple_(jobs.c.tenant, jobs.c.id, jobs.c.run).in_(keys)))).all()
    return {Run(row.tenant, row.id, row.run): row for row in found}
