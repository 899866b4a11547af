"""A database of its own for each test: a copy of one that was migrated once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from streamapp.store.database import Database
from streamapp.store.migrate import migrate


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty store."""
    path = shutil.copy(migrated, tmp_path / "store.db")
    database = Database(f"sqlite:///{path}")
    event.listen(database._writing, "connect", _without_fsync)
    yield database
    database.close()


def _without_fsync(connection: Any, _: Any) -> None:
    """No test survives a power cut, and hundreds of them wait for the disk otherwise."""
    connection.execute("PRAGMA synchronous=OFF").close()
