"""Reserving a job: the one moment at which work is accepted. What is committed here is never lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from streamapp.store.schema import clock, jobs, tenants
from streamapp.store.sql import AnyRow, insert_or_ignore

__all__ = ["NewJob", "Reservation", "reserve"]


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


@dataclass(frozen=True, slots=True)
class Reservation:
    """The job that stands under this id or key. ``created``: by this call; ``same``: its body is the one just sent."""

    row: AnyRow = field(repr=False)
    created: bool
    same: bool


def reserve(connection: Connection, new: NewJob) -> Reservation:
    """Insert the job, or find the one that its id or its idempotency key already names."""
    insert_or_ignore(connection, tenants, {"tenant": new.tenant})
    created = insert_or_ignore(
        connection,
        jobs,
        {
            **{name: getattr(new, name) for name in NewJob.__slots__},
            "run": 1,
            "status": "queued",
            "step": 0,
            "done": 0,
            "total": 0,
            "unfinished": 0,
            "waiting": 0,
            "served": 0.0,
            "created_at": clock(),
        },
    )
    row = connection.execute(select(jobs).where(jobs.c.tenant == new.tenant, jobs.c.id == new.id)).one_or_none()
    if row is None:
        named = jobs.c.idempotency_key == new.idempotency_key
        row = connection.execute(select(jobs).where(jobs.c.tenant == new.tenant, named)).one()
    return Reservation(row, created, row.body_hash == new.body_hash)
