"""API keys. The store has a key's hash, never the key.

The hash is a plain SHA-256. Slow hashes (RFC 9106) make it dear to guess passwords, which people choose from few; a key
is 256 random bits, and nobody goes through those however fast the hash is. A slow one would only slow each request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, or_, select, update

from streamapp.store.access import api_keys
from streamapp.store.schema import clock
from streamapp.store.sql import AnyRow

__all__ = ["PREFIX", "NewKey", "any_key", "create", "hash_of", "id_of", "keys_of", "log_in", "revoke", "usable", "used"]

PREFIX = "streamapp_"
"""What each key begins with, so that people and scanners of source code know one where they find it."""

SHAPE = re.compile(PREFIX + r"([a-z0-9]{12})_[A-Za-z0-9_-]{43}")

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SECRET_BYTES = 32

base = api_keys.alias("base")
STANDS = and_(api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > clock()))
BASE_STANDS = or_(
    api_keys.c.login_of.is_(None),
    and_(base.c.revoked_at.is_(None), or_(base.c.expires_at.is_(None), base.c.expires_at > clock())),
)
_USABLE = select(api_keys).outerjoin(base, base.c.id == api_keys.c.login_of).where(STANDS, BASE_STANDS)
USABLE = _USABLE.where(api_keys.c.id.in_(bindparam("ids", expanding=True)))
ANY = select(exists().where(api_keys.c.id.is_not(None)))
USED = update(api_keys).where(api_keys.c.id.in_(bindparam("ids", expanding=True))).values(last_used_at=clock())


class NewKey(NamedTuple):
    """What a key is to be; `days` until it expires, None: never. Limits as in the table."""

    tenant: str
    name: str
    scopes: Collection[str]
    days: float | None = None
    per_minute: int | None = None
    active_jobs: int | None = None


def hash_of(key: str) -> str:
    """What the store has of a key: its SHA-256, 64 hex digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(key: str) -> str | None:
    """The id within a key; None for what can't be one."""
    match = SHAPE.fullmatch(key)
    return match[1] if match else None


def create(connection: Connection, new: NewKey) -> tuple[str, str]:
    """Make a key. Returns its id, and the key itself, which nobody can read again."""
    expires_at = None if new.days is None else clock() + new.days * 86_400.0
    return _insert(
        connection,
        tenant=new.tenant,
        name=new.name,
        scopes=" ".join(sorted(new.scopes)),
        expires_at=expires_at,
        per_minute=new.per_minute,
        active_jobs=new.active_jobs,
    )


def log_in(connection: Connection, identity: str, lasts_s: float) -> str | None:
    """Make a login from a usable key: one that may do the same for so many seconds. None when there is no such key."""
    connection.execute(delete(api_keys).where(api_keys.c.login_of.is_not(None), api_keys.c.expires_at < clock()))
    row = next(iter(usable(connection, [identity])), None)
    if row is None or row.login_of is not None:
        return None
    same = {name: getattr(row, name) for name in ("tenant", "name", "scopes", "per_minute", "active_jobs")}
    return _insert(connection, **same, login_of=row.id, expires_at=clock() + lasts_s)[1]


def _insert(connection: Connection, **values: object) -> tuple[str, str]:
    identity = "".join(secrets.choice(ALPHABET) for _ in range(12))
    key = f"{PREFIX}{identity}_{secrets.token_urlsafe(SECRET_BYTES)}"
    connection.execute(insert(api_keys).values(id=identity, hash=hash_of(key), created_at=clock(), **values))
    return identity, key


def usable(connection: Connection, ids: Collection[str]) -> Sequence[AnyRow]:
    """Of these keys those that are neither revoked nor expired; a login only while its key is usable too."""
    return connection.execute(USABLE, {"ids": list(ids)}).all()


def any_key(connection: Connection) -> bool:
    """Whether there is any key, if only one that was revoked: who has had keys wants to be asked for them."""
    return connection.execute(ANY).scalar_one()


def used(connection: Connection, ids: Collection[str]) -> None:
    """Note that these were used just now."""
    connection.execute(USED, {"ids": list(ids)})


def keys_of(connection: Connection, tenant: str | None = None) -> Sequence[AnyRow]:
    """All keys but logins, the oldest first; of one tenant if that is named. With ``stands``: whether it is usable."""
    query = select(api_keys, STANDS.label("stands")).where(api_keys.c.login_of.is_(None))
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    return connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.id)).all()


def revoke(connection: Connection, identity: str) -> bool:
    """Revoke a key or a login. False when there is none with that id, or it was revoked before."""
    mine = and_(api_keys.c.id == identity, api_keys.c.revoked_at.is_(None))
    return connection.execute(update(api_keys).where(mine).values(revoked_at=clock())).rowcount == 1
