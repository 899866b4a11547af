"""The secrets of webhooks: made when needed, changed with two for a while, and quoted by nobody."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from streamapp.errors import StoreUnavailable
from streamapp.store import webhook_secrets as secrets
from streamapp.store.database import Database
from tests.unit.store.rows import put, rows_of


def current(database: Database, tenant: str = "anna") -> list[str]:
    """The secrets that hold."""
    return [each.secret for each in database.write_sync(secrets.current, tenant)]


def test_the_first_is_made_once(database: Database) -> None:
    """And is each tenant's own."""
    (first,) = current(database)
    assert first.startswith("whsec_")
    assert current(database) == [first]
    assert current(database, "bert") != [first]


def test_two_while_they_are_changed(database: Database) -> None:
    """The newest first, until the old one's time is up; a third ends the first at once."""
    (first,) = current(database)
    second = database.write_sync(secrets.rotate, "anna", 3600.0).secret
    assert current(database) == [second, first]
    third = database.write_sync(secrets.rotate, "anna", 3600.0).secret
    assert current(database) == [third, second]
    put(database, secrets.webhook_secrets, {"number": 2}, expires_at=1.0)
    assert current(database) == [third]


def test_an_end_at_once(database: Database) -> None:
    """Leaves the newest alone, and other tenants."""
    current(database, "bert")
    made = database.write_sync(secrets.rotate, "anna", 3600.0)
    assert database.write_sync(secrets.expire, "anna") == 1
    assert current(database) == [made.secret]
    assert database.write_sync(secrets.expire, "anna") == 0
    assert len(rows_of(database, secrets.webhook_secrets)) == 2


def test_nothing_quotes_a_secret(database: Database) -> None:
    """Neither a secret that is shown, nor an error of the database."""
    (made,) = database.write_sync(secrets.current, "anna")
    assert made.secret not in repr(made)
    for work in (lambda at: secrets.rotate(at, "anna", 1.0), lambda at: secrets.current(at, "bert")):
        with suppress(StoreUnavailable, DBAPIError), database.connection() as connection:
            connection.execute(text("ALTER TABLE webhook_secrets RENAME COLUMN created_at TO gone"))
            with pytest.raises(DBAPIError) as error:
                work(connection)
            assert "whsec_" not in str(error.value)
            assert "parameters hidden" in str(error.value)
            raise StoreUnavailable("undo it")
