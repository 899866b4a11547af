"""The tables that say who may do what. They belong to the schema beside this."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, String, Table, Text

from streamapp.store.schema import TENANT, metadata

__all__ = ["api_keys"]

# a browser's login is a key too, made from another: it has `login_of`, and ends with that one
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", TENANT, nullable=False),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False),  # SHA-256 of the whole key, hex
    Column("scopes", Text, nullable=False),  # their names, with spaces between
    Column("login_of", String(32)),
    Column("per_minute", Integer),  # requests, of each worker; null: any number
    Column("active_jobs", Integer),  # of its tenant, queued and running, at which it may send no more; null: any number
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
    Index("api_keys_logins", "login_of", "expires_at"),
)
