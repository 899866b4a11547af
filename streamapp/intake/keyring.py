"""Which keys there are, as a request needs it: from memory, a few seconds old at most.

A key is read from the store when it comes for the first time, and from then on every other second together with all
others in use. So a request costs no query, and a key that was revoked or has expired holds `TRUSTED_S` seconds at most.
That also bounds how long keys are believed while the store can't be used. When a key was last used is noted from here,
at most once a minute, and never in a request.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection

from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.intake.caller import Caller, Scope
from streamapp.settings import Settings
from streamapp.store import keys, rooms
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow

__all__ = ["EVERY_S", "LOGIN_S", "TRUSTED_S", "Keyring"]

logger = logging.getLogger(__name__)

EVERY_S = 2.0
TRUSTED_S = 6.0
IN_USE_S = 60.0
NOTED_S = 60.0
LOGIN_S = 12 * 3600.0


@dataclass(slots=True)
class _Entry:
    """A usable key. `read_at` and `used_at` are seconds, monotonic."""

    hash: str
    caller: Caller
    login: bool
    read_at: float
    used_at: float


class Keyring:
    """Finds the caller that a key is for. `begin` comes first, and `run` keeps what is known fresh."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._entries: dict[str, _Entry] = {}
        self._noted: dict[str, float] = {}
        self._any = True
        self._paused: frozenset[str] = frozenset()

    @property
    def required(self) -> bool:
        """Whether a key is asked for; see the setting `keys`."""
        match self._settings.keys:
            case "required":
                return True
            case "auto":
                return self._any or not self._settings.is_local
        return False

    async def begin(self) -> None:
        """Look whether there are keys. Raises `ConfigurationError` when there must be one, and `StoreUnavailable`."""
        self._any, self._paused, _ = await self._database.read(_look, ())
        if self.required and not self._any and not self._settings.is_local:
            raise ConfigurationError(
                f"STREAMAPP_WEB_HOST is {self._settings.web_host}, where others may reach this worker, and there is no "
                "API key: make one with `streamapp keys create NAME`, or say "
                "STREAMAPP_KEYS=off-and-anyone-may-use-this."
            )

    def is_paused(self, tenant: str) -> bool:
        """Whether no new work of that tenant is taken, as of some seconds ago."""
        return tenant in self._paused

    async def find(self, key: str, *, login: bool = False) -> Caller | None:
        """Who it is that has this key; a `login` is what a browser has in its place. Raises `StoreUnavailable`."""
        identity = keys.id_of(key)
        if identity is None:
            return None
        now = time.monotonic()
        entry = self._entries.get(identity)
        if entry is None or now > entry.read_at + TRUSTED_S:
            entry = await self._read(identity)
        if entry is None or entry.login is not login or not hmac.compare_digest(entry.hash, keys.hash_of(key)):
            return None
        entry.used_at = now
        return entry.caller

    async def log_in(self, key: str) -> str | None:
        """A login for whoever has this key, for `LOGIN_S` seconds; None when it is none."""
        caller = await self.find(key)
        if caller is None:
            return None
        return await self._database.write(keys.log_in, str(caller.key), LOGIN_S)

    async def log_out(self, login: str) -> None:
        """End a login, in this worker at once."""
        identity = keys.id_of(login)
        if identity is not None and await self.find(login, login=True) is not None:
            await self._database.write(keys.revoke, identity)
            self._entries.pop(identity, None)

    async def run(self) -> None:
        """Keep what is known fresh, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.refresh()
                await self.note_use()
            except StoreUnavailable:
                pass  # what is too old is asked for by the request that needs it, which then says so
            except Exception:
                logger.exception("looking at the keys raised")

    async def refresh(self) -> None:
        """Read the keys in use, whether there are keys at all, and who is paused."""
        since = time.monotonic()
        in_use = [identity for identity, entry in list(self._entries.items()) if entry.used_at > since - IN_USE_S]
        self._any, self._paused, rows = await self._database.read(_look, in_use)
        fresh = {row.id: self._entry(row, since) for row in rows}
        for identity in in_use:
            if (old := self._entries.get(identity)) and (new := fresh.get(identity)):
                new.used_at = old.used_at
        met = {identity: entry for identity, entry in list(self._entries.items()) if entry.read_at > since}
        self._entries = {**fresh, **met}

    async def _read(self, identity: str) -> _Entry | None:
        since = time.monotonic()
        rows = await self._database.read(keys.usable, [identity])
        self._entries.pop(identity, None)
        if not rows:
            return None
        entry = self._entries[identity] = self._entry(rows[0], since)
        return entry

    def _entry(self, row: AnyRow, now: float) -> _Entry:
        scopes = cast("frozenset[Scope]", frozenset(row.scopes.split()))
        caller = Caller(row.tenant, scopes, row.login_of or row.id, row.per_minute, row.active_jobs, row.name)
        return _Entry(row.hash, caller, row.login_of is not None, now, now)

    async def note_use(self) -> None:
        """Note which keys were used since the last time. Raises `StoreUnavailable`."""
        now = time.monotonic()
        self._noted = {key: at for key, at in self._noted.items() if now - at < NOTED_S}
        used = {str(entry.caller.key) for entry in list(self._entries.values()) if entry.used_at > now - 2 * EVERY_S}
        if due := used - self._noted.keys():
            await self._database.note(keys.used, due)
            self._noted.update(dict.fromkeys(due, now))


def _look(connection: Connection, ids: Collection[str]) -> tuple[bool, frozenset[str], list[AnyRow]]:
    return keys.any_key(connection), rooms.paused(connection), list(keys.usable(connection, ids)) if ids else []
