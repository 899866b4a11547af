"""API keys in the store: made, found while they stand, never kept in clear."""

from __future__ import annotations

import re

import pytest

from streamapp.store import keys
from streamapp.store.access import api_keys
from streamapp.store.database import Database
from streamapp.store.keys import NewKey
from tests.unit.store.rows import put, row_of, rows_of

NEW = NewKey("anna", "hers", ("submit", "read"))


def usable(database: Database, *ids: str) -> list[str]:
    """Those of these keys that are."""
    return [row.id for row in database.read_sync(keys.usable, ids)]


def test_a_key_is_shown_once(database: Database) -> None:
    """I expect no column to hold the key or its secret, and a hash that only the whole key gives."""
    identity, key = database.write_sync(keys.create, NEW)

    assert re.fullmatch(r"streamapp_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", key)
    assert keys.id_of(key) == identity
    row = row_of(database, api_keys)
    assert row.hash == keys.hash_of(key)
    assert not [value for value in row if isinstance(value, str) and key[-43:] in value]
    assert (row.tenant, row.name, row.scopes, row.expires_at) == ("anna", "hers", "read submit", None)


def test_keys_differ(database: Database) -> None:
    """I expect a new id and a new secret each time."""
    made = [database.write_sync(keys.create, NEW) for _ in range(50)]
    assert len({identity for identity, _ in made}) == len({key[-43:] for _, key in made}) == 50


@pytest.mark.parametrize(
    "text", ["", "streamapp_", "streamapp_abc_def", "sk_" + "a" * 60, "streamapp_" + "a" * 12 + "_" + "é" * 43, "\0"]
)
def test_what_is_no_key_has_no_id(text: str) -> None:
    """I expect the store not to be asked about it."""
    assert keys.id_of(text) is None
    assert len(keys.hash_of(text)) == 64


@pytest.mark.parametrize(
    ("change", "stands"),
    [({}, True), ({"revoked_at": 1.0}, False), ({"expires_at": 1.0}, False), ({"expires_at": 9e9}, True)],
)
def test_what_makes_a_key_usable(database: Database, change: dict[str, float], stands: bool) -> None:
    """I expect it to be neither revoked nor expired, and the same of a login that was made from it."""
    identity, _ = database.write_sync(keys.create, NEW)
    login = database.write_sync(keys.log_in, identity, 60.0)
    assert login is not None

    if change:
        put(database, api_keys, {"id": identity}, **change)

    assert usable(database, identity) == [identity] * stands
    assert usable(database, str(keys.id_of(login))) == [keys.id_of(login)] * stands
    assert [row.stands for row in database.read_sync(keys.keys_of)] == [stands]


def test_a_login_may_what_its_key_may(database: Database) -> None:
    """I expect the same tenant, scopes and limits, no login of a login, and an expired one to be gone with the next."""
    identity, _ = database.write_sync(
        keys.create, NewKey("anna", "hers", ("read",), days=2, per_minute=7, active_jobs=3)
    )
    login = str(keys.id_of(str(database.write_sync(keys.log_in, identity, 60.0))))

    row = row_of(database, api_keys, id=login)
    assert (row.tenant, row.scopes, row.per_minute, row.active_jobs, row.login_of) == ("anna", "read", 7, 3, identity)
    assert database.write_sync(keys.log_in, login, 60.0) is None
    put(database, api_keys, {"id": login}, expires_at=1.0)
    assert database.write_sync(keys.log_in, identity, 60.0) is not None
    assert not rows_of(database, api_keys, id=login)


def test_revoking(database: Database) -> None:
    """I expect it to work once, and the key to be listed as what it is; a store that had keys still has some."""
    assert not database.read_sync(keys.any_key)
    identity, _ = database.write_sync(keys.create, NEW)

    assert database.write_sync(keys.revoke, identity)
    assert not database.write_sync(keys.revoke, identity)
    assert not database.write_sync(keys.revoke, "nobody")
    assert [(row.id, row.stands) for row in database.read_sync(keys.keys_of, "anna")] == [(identity, False)]
    assert not database.read_sync(keys.keys_of, "bert")
    assert database.read_sync(keys.any_key)
