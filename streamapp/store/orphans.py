"""What the sweep of orphaned documents asks the store: which documents are a job's, and which store this is."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select, tuple_

from streamapp.store.schema import jobs
from streamapp.store.sql import insert_or_ignore
from streamapp.store.upkeep import leases

__all__ = ["documents_of", "store_id"]

NAME = "store-id"  # among the leases: one that its owner has for ever
DOCUMENTS = select(jobs.c.document).where(tuple_(jobs.c.tenant, jobs.c.id).in_(bindparam("keys", expanding=True)))
KEPT = select(leases.c.owner).where(leases.c.name == NAME)


def documents_of(connection: Connection, keys: Collection[tuple[str, str]]) -> set[str]:
    """The references of these jobs' documents, by tenant and id, as far as there are such jobs."""
    return set(connection.execute(DOCUMENTS, {"keys": list(keys)}).scalars())


def store_id(connection: Connection) -> str:
    """A random id of this store, made by whoever asks first; a copy of the store has it too."""
    found = connection.execute(KEPT).scalar_one_or_none()
    if found is None:
        insert_or_ignore(connection, leases, {"name": NAME, "owner": uuid.uuid4().hex}, "taken_at", "lease_until")
        found = connection.execute(KEPT).scalar_one()
    return str(found)
