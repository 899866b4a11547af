"""What was done to many jobs at a time: by whom, when, to which, and to how many. Lines are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Double, Index, Integer, String, Table, Text, insert, select

from streamapp.store.schema import TENANT, clock, metadata
from streamapp.store.sql import AnyRow

__all__ = ["audit", "newest", "note"]

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("tenant", TENANT, nullable=False),
    Column("key", String(100)),  # the id of the key that was used; null where none are asked for
    Column("what", String(50), nullable=False),
    Column("filter", Text, nullable=False),  # JSON
    Column("changed", Integer, nullable=False),
    Index("audit_by_tenant", "tenant", "id"),
)

NOTE = insert(audit).values(at=clock())


def note(
    connection: Connection, tenant: str, key: str | None, what: str, wanted: Mapping[str, Any], changed: int
) -> None:
    """Add a line; in the transaction that does what it says."""
    row = {"tenant": tenant, "key": key, "what": what, "filter": json.dumps(wanted, sort_keys=True), "changed": changed}
    connection.execute(NOTE, row)


def newest(connection: Connection, tenant: str, limit: int, before: int | None = None) -> Sequence[AnyRow]:
    """A page of a tenant's lines, newest first."""
    query = select(audit).where(audit.c.tenant == tenant).order_by(audit.c.id.desc()).limit(limit)
    return connection.execute(query if before is None else query.where(audit.c.id < before)).all()
