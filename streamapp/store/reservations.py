"""Reserving a job: the one moment at which work is accepted. What is committed here is never lost.

A job that was removed has left a tombstone, and its id and key name that: it must not start again as if it were new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, tuple_

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.store.schema import clock, jobs, tenants, tombstones
from streamapp.store.sql import AnyRow, insert_all_or_ignore, insert_or_ignore

__all__ = ["JobRemoved", "NewJob", "Reservation", "reserve", "reserve_all", "tombstone_of", "with_reservations"]


class JobRemoved(Permanent):
    """The id or the key names a job that has ended and was removed. ``same``: its body is the one just sent."""

    def __init__(self, tombstone: AnyRow, same: bool) -> None:
        super().__init__(f"job {tombstone.job} has {tombstone.status} and was removed")
        self.tombstone = tombstone
        self.same = same


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated submission."""

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


@dataclass(frozen=True, slots=True)
class Reservation:
    """The job that stands under this id or key. ``created``: by this call; ``same``: its body is the one just sent.

    ``position`` is a created job's place in the queue, 1 for the next.
    """

    row: AnyRow = field(repr=False)
    created: bool
    same: bool
    position: int | None = None


def reserve(connection: Connection, new: NewJob, *, run: int = 1, created_at: float | None = None) -> Reservation:
    """Insert the job, or find the one that its id or its idempotency key already names. Raises `JobRemoved`.

    `run` and `created_at` are given for a job that was accepted before, by a store that is lost.
    """
    (outcome,) = reserve_all(connection, [new], run=run, created_at=created_at)
    if isinstance(outcome, JobRemoved):
        raise outcome
    return outcome


def reserve_all(
    connection: Connection, new: Sequence[NewJob], *, run: int = 1, created_at: float | None = None
) -> list[Reservation | JobRemoved]:
    """The same for many, with as many statements as for one."""
    gone = _removed(connection, new)
    _know_tenants(connection, sorted({job.tenant for job in new}))
    place = connection.execute(select(func.count()).where(jobs.c.status == "queued")).scalar_one()
    inserted = {
        (row.tenant, row.id): row
        for row in insert_all_or_ignore(
            connection,
            jobs,
            [_fresh(job, run) for job, tombstone in zip(new, gone, strict=True) if tombstone is None],
            created_at=clock() if created_at is None else created_at,
        )
    }
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


def _fresh(new: NewJob, run: int) -> dict[str, Any]:
    """The row of a job that waits to be planned, but for its time."""
    counts = {"step": 0, "done": 0, "total": 0, "unfinished": 0, "waiting": 0, "served": 0.0}
    return {**{name: getattr(new, name) for name in NewJob.__slots__}, **counts, "run": run, "status": "queued"}


def _named(connection: Connection, new: NewJob) -> AnyRow:
    mine = select(jobs).where(jobs.c.tenant == new.tenant)
    row = connection.execute(mine.where(jobs.c.id == new.id)).one_or_none()
    return row or connection.execute(mine.where(jobs.c.idempotency_key == new.idempotency_key)).one()


def _know_tenants(connection: Connection, names: Sequence[str]) -> None:
    known = set(connection.execute(select(tenants.c.tenant).where(tenants.c.tenant.in_(names))).scalars())
    for name in names:
        if name not in known:
            insert_or_ignore(connection, tenants, {"tenant": name})


def _removed(connection: Connection, new: Sequence[NewJob]) -> list[AnyRow | None]:
    """For each, what is left of a removed job with its id or its key."""
    ids = [job.id for job in new]
    keys = [job.idempotency_key for job in new if job.idempotency_key is not None]
    named = or_(tombstones.c.job.in_(ids), tombstones.c.idempotency_key.in_(keys))
    found = connection.execute(select(tombstones).where(named)).all()
    if not found:
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
