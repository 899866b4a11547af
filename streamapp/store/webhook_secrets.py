"""The secrets that webhooks are signed with: one for each tenant, and for a while the one before it too.

They are kept as they are, since to sign takes the secret itself; see docs/adr/0018. No error of the database may quote
one. The first is made when it is first needed.
"""

from __future__ import annotations

import base64
import secrets as chance
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import StatementError

from streamapp.store.schema import TENANT, clock, metadata
from streamapp.store.sql import insert_or_ignore

__all__ = ["Secret", "current", "expire", "rotate", "webhook_secrets"]

BYTES = 32

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("tenant", TENANT, primary_key=True),
    Column("number", Integer, primary_key=True),  # the newest has the highest
    Column("secret", String(100), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),  # null: the newest
)

MINE = webhook_secrets.c.tenant == bindparam("of_tenant")
VALID = or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > clock())
CURRENT = (
    select(webhook_secrets.c.number, webhook_secrets.c.secret, webhook_secrets.c.expires_at)
    .where(MINE, VALID)
    .order_by(webhook_secrets.c.number.desc())
)


class Secret(NamedTuple):
    """A secret as a receiver gets it, ``whsec_…``; `expires_at` is None for the newest."""

    number: int
    secret: str
    expires_at: float | None

    def __repr__(self) -> str:
        """Without the secret: what is shown may be logged."""
        return f"Secret({self.number})"


def current(connection: Connection, tenant: str) -> list[Secret]:
    """The secrets that a webhook of this tenant is signed with now, the newest first: one, or two."""
    with _unquoted():
        found = connection.execute(CURRENT, {"of_tenant": tenant}).all()
        if not found:
            first = {"tenant": tenant, "number": 1, "secret": _new()}
            insert_or_ignore(connection, webhook_secrets, first, "created_at")  # or another worker was quicker
            found = connection.execute(CURRENT, {"of_tenant": tenant}).all()
    return [Secret(*row) for row in found]


def rotate(connection: Connection, tenant: str, keep_s: float) -> Secret:
    """Make a new secret. The one before it signs too for `keep_s` seconds more; older ones are gone at once."""
    newest = current(connection, tenant)[0]
    expire(connection, tenant)
    last = update(webhook_secrets).where(MINE, webhook_secrets.c.number == newest.number)
    connection.execute(last.values(expires_at=clock() + keep_s), {"of_tenant": tenant})
    made = Secret(newest.number + 1, _new(), None)
    with _unquoted():
        row = {"tenant": tenant, "number": made.number, "secret": made.secret}
        connection.execute(insert(webhook_secrets).values(**row, created_at=clock()))
    return made


def expire(connection: Connection, tenant: str) -> int:
    """Remove all secrets of a tenant but the newest. Returns how many."""
    older = delete(webhook_secrets).where(MINE, webhook_secrets.c.expires_at.is_not(None))
    return connection.execute(older, {"of_tenant": tenant}).rowcount


def _new() -> str:
    return f"whsec_{base64.b64encode(chance.token_bytes(BYTES)).decode('ascii')}"


@contextmanager
def _unquoted() -> Iterator[None]:
    """An error does not quote the statement's parameters."""
    try:
        yield
    except StatementError as error:
        error.hide_parameters = True
        raise
