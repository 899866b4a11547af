"""The jobs of a tenant that have not ended: how many there are, and whether one that is named is there at all."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, literal, select, text

from streamapp.store.schema import ACTIVE, jobs

__all__ = ["Room", "is_there", "look_for_room"]

MINE = jobs.c.tenant == bindparam("of_tenant")
# spelled as the index `jobs_active` is: SQLite takes it for no other spelling
ONES = select(literal(1)).select_from(jobs).where(MINE, text(ACTIVE)).limit(bindparam("most"))
COUNT = select(func.count()).select_from(ONES.subquery())
NAMED = select(exists().where(MINE, jobs.c.id == bindparam("of_job")))
KEYED = select(exists().where(MINE, jobs.c.idempotency_key == bindparam("of_key")))


class Room(NamedTuple):
    """How many of a tenant's jobs have not ended, and whether the one that is named is there."""

    active: int
    is_there: bool


def look_for_room(connection: Connection, tenant: str, most: int, job: str | None, key: str | None) -> Room:
    """Count a tenant's jobs that have not ended, to `most` and no further, and look for one by its id or its key."""
    active = connection.execute(COUNT, {"of_tenant": tenant, "most": most}).scalar_one()
    return Room(active, is_there(connection, tenant, job, key))


def is_there(connection: Connection, tenant: str, job: str | None, key: str | None) -> bool:
    """Whether a tenant has a job with that id, or with that idempotency key."""
    named = job is not None and connection.execute(NAMED, {"of_tenant": tenant, "of_job": job}).scalar_one()
    return named or (key is not None and connection.execute(KEYED, {"of_tenant": tenant, "of_key": key}).scalar_one())
