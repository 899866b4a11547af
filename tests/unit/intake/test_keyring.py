"""The keys in memory: no query in a request, and never older than a few seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.intake import keyring as module
from streamapp.intake.caller import Caller
from streamapp.intake.keyring import TRUSTED_S, Keyring
from streamapp.settings import Settings
from streamapp.store import keys
from streamapp.store.access import api_keys
from streamapp.store.database import Database
from streamapp.store.keys import NewKey
from tests.unit.store.rows import put, row_of


class Clock:
    """The monotonic clock, in the test's hands."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


class Counting:
    """A database that counts what it is asked, and that can be away."""

    def __init__(self, database: Database) -> None:
        self.database, self.reads, self.away = database, 0, False

    async def read(self, work: Callable[..., Any], *args: Any) -> Any:
        """Count, and read."""
        if self.away:
            raise StoreUnavailable("it is away")
        self.reads += 1
        return await self.database.read(work, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The keyring's clock."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def ring(database: Any, **settings: Any) -> Keyring:
    """A keyring with these settings."""
    return Keyring(database, Settings(**settings))


def made(database: Database, tenant: str = "anna", scopes: tuple[str, ...] = ("read",)) -> tuple[str, str]:
    """A key's id, and the key."""
    return database.write_sync(keys.create, NewKey(tenant, "a key", scopes))


async def test_a_key_in_use_costs_no_query(database: Database, clock: Clock) -> None:
    """I expect the store to be asked about the first of many requests, and then by the refresh alone."""
    counting = Counting(database)
    keyring = ring(counting)
    identity, key = made(database)

    for _ in range(10):
        for _ in range(100):
            assert await keyring.find(key) == Caller("anna", frozenset({"read"}), identity, name="a key")
        clock.now += module.EVERY_S
        await keyring.refresh()

    assert counting.reads == 11


async def test_only_the_very_key_is_known(database: Database, clock: Clock) -> None:
    """I expect another secret with the same id to be nobody, before and after the right one was seen."""
    keyring = ring(database)
    _, key = made(database)
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")

    assert await keyring.find(wrong) is None
    assert await keyring.find(key) is not None
    for text in (wrong, key + "x", key.upper(), "", "streamapp_" + "a" * 12 + "_" + "a" * 43):
        assert await keyring.find(text) is None


async def test_revoking_holds_within_seconds(database: Database, clock: Clock) -> None:
    """I expect a refresh to forget the key, and without any refresh the time for which it is believed to end."""
    for refreshing in (True, False):
        keyring = ring(database)
        identity, key = made(database)
        assert await keyring.find(key) is not None
        database.write_sync(keys.revoke, identity)
        if refreshing:
            await keyring.refresh()
        else:
            clock.now += TRUSTED_S + 0.1
        assert await keyring.find(key) is None


async def test_while_the_store_is_away_keys_are_believed_for_seconds(database: Database, clock: Clock) -> None:
    """I expect no answer after that, rather than a guess."""
    counting = Counting(database)
    keyring = ring(counting)
    _, key = made(database)
    await keyring.find(key)
    counting.away = True

    clock.now += TRUSTED_S - 0.1
    assert await keyring.find(key) is not None
    clock.now += 0.2
    with pytest.raises(StoreUnavailable):
        await keyring.find(key)


async def test_last_use_is_noted_once_a_minute(database: Database, clock: Clock) -> None:
    """I expect one write for many requests, and the next a minute later; a login counts for its key."""
    keyring = ring(database)
    identity, key = made(database)
    login = await keyring.log_in(key)
    assert login is not None

    await keyring.note_use()
    assert row_of(database, api_keys, id=identity).last_used_at is not None
    put(database, api_keys, {"id": identity}, last_used_at=1.0)
    for later, noted in ((30.0, False), (31.0, True)):
        clock.now += later
        assert await keyring.find(login, login=True) is not None
        await keyring.note_use()
        assert (row_of(database, api_keys, id=identity).last_used_at != 1.0) is noted


async def test_logins(database: Database, clock: Clock) -> None:
    """I expect a login to be no key and a key no login, and to end at once, and alone, when its owner logs out."""
    keyring = ring(database)
    identity, key = made(database)
    first, second = await keyring.log_in(key), await keyring.log_in(key)
    assert first is not None
    assert second is not None

    assert await keyring.find(first, login=True) == Caller("anna", frozenset({"read"}), identity, name="a key")
    assert await keyring.find(first) is None
    assert await keyring.find(key, login=True) is None
    assert await keyring.log_in(first) is None
    await keyring.log_out(key)  # which is no login
    await keyring.log_out(first)
    assert await keyring.find(first, login=True) is None
    assert await keyring.find(second, login=True) is not None
    assert await keyring.find(key) is not None


@pytest.mark.parametrize(
    ("settings", "without", "with_one"),
    [
        ({}, False, True),
        ({"web_host": "localhost"}, False, True),
        ({"web_host": "::1"}, False, True),
        ({"keys": "required"}, True, True),
        ({"keys": "off"}, False, False),
        ({"web_host": "0.0.0.0", "keys": "off-and-anyone-may-use-this"}, False, False),
        ({"web_host": "0.0.0.0"}, "refused", True),
        ({"web_host": "::"}, "refused", True),
        ({"web_host": ""}, "refused", True),
        ({"web_host": "books.example.org", "keys": "required"}, "refused", True),
    ],
)
async def test_when_keys_are_asked_for(
    database: Database, settings: dict[str, str], without: bool | str, with_one: bool
) -> None:
    """I expect the table in the settings' words: by the address, and by whether there is a key."""
    keyring = ring(database, **settings)
    if without == "refused":
        with pytest.raises(ConfigurationError, match="streamapp keys create"):
            await keyring.begin()
    else:
        await keyring.begin()
        assert keyring.required is without
    identity, _ = made(database)
    database.write_sync(keys.revoke, identity)  # it had one: that counts
    await keyring.begin()
    assert keyring.required is with_one


async def test_the_first_key_is_noticed_while_it_runs(database: Database) -> None:
    """I expect no restart to be needed."""
    keyring = ring(database)
    await keyring.begin()
    made(database)
    assert not keyring.required
    await keyring.refresh()
    assert keyring.required


def test_off_is_for_this_machine_alone() -> None:
    """I expect the settings to refuse it elsewhere, and to name the words that mean it."""
    with pytest.raises(ValueError, match="off-and-anyone-may-use-this"):
        Settings(web_host="0.0.0.0", keys="off")
