"""Looking at a store leaves no trace, and sees what is there: also what only the write-ahead log has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from streamapp.errors import StoreUnavailable
from streamapp.store import examine
from streamapp.store.database import Database
from streamapp.store.keys import NewKey, any_key, create
from streamapp.store.migrate import migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with this version's tables that nobody has open."""
    url = f"sqlite:///{tmp_path / 'streamapp.db'}"
    database = Database(url)
    migrate(database)
    database.close()
    return url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The same, open."""
    database = Database(url)
    yield database
    database.close()


def _trace(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir()}


def test_a_store_that_nobody_has_open(url: str, tmp_path: Path) -> None:
    """I expect all to be seen, and no file to be made or changed."""
    before = _trace(tmp_path)
    assert set(before) == {"streamapp.db"}
    assert examine.has_wal(tmp_path / "streamapp.db")
    with examine.opened(url) as connection:
        assert examine.revision(connection) == examine.newest_revision()
        assert examine.says_of_itself(connection, 10.0) == "ok"
        assert examine.is_writable(connection, url)
        assert abs(examine.now(connection) - time.time()) < 60
        assert not any_key(connection)
    assert _trace(tmp_path) == before


def test_a_store_that_is_in_use(database: Database, url: str) -> None:
    """I expect what was just written and stands in the log only."""
    database.write_sync(create, NewKey("default", "anna", ("read",)))
    with examine.opened(url) as connection:
        assert any_key(connection)
        assert examine.says_of_itself(connection, 10.0) == "ok"


def test_nothing_can_be_written_through_it(url: str) -> None:
    """I expect SQLite itself to refuse."""
    with pytest.raises((StoreUnavailable, DBAPIError)), examine.opened(url) as connection:
        connection.exec_driver_sql("CREATE TABLE mine (id INTEGER)")


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    """I expect a named error, and none to be made."""
    with pytest.raises(StoreUnavailable), examine.opened(f"sqlite:///{tmp_path / 'none.db'}") as connection:
        examine.tables(connection)
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_takes_too_long_is_broken_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect None and a connection that goes on to work."""
    monkeypatch.setattr(examine, "STEPS", 1)
    with examine.opened(url) as connection:
        assert examine.says_of_itself(connection, -1.0) is None
        assert examine.tables(connection) > 5
