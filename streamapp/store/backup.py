"""A copy of an SQLite store, made while workers write to it, and looked over before it counts as one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import make_url

from streamapp.errors import ConfigurationError, StoreUnavailable

__all__ = ["back_up"]

PAGES = -1  # all in one step, in one read transaction: in WAL mode that holds up no writer, and is one moment's state


def back_up(url: str, file: Path, at: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Copy the store into a new `file` by SQLite's online backup, sync it, check it; returns its bytes. Blocks.

    Raises `ConfigurationError` for another database, for a store that is not there and for a file that is;
    `StoreUnavailable` when the disk or the copy is bad. Then nothing is left of it.
    """
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database:
        raise ConfigurationError(
            "`streamapp backup` copies an SQLite store. For PostgreSQL use its own tools: "
            "pg_dump --format=custom, or a base backup with WAL archiving."
        )
    source = Path(parts.database)
    if not source.is_file():
        raise ConfigurationError(f"There is no store at {source}.")
    draft = file.with_name(f"{file.name}.part")
    try:
        _create(file)
        _create(draft)
        _copy(source, draft, at)
        os.replace(draft, file)
        _sync(file.parent)
    except FileExistsError as error:
        raise ConfigurationError(f"{error.filename} is there already: name a new file, or remove that one.") from error
    except (sqlite3.Error, OSError) as error:
        for left in (draft, file):
            with suppress(OSError):
                left.unlink()
        raise StoreUnavailable(f"the backup to {file} failed: {error}") from error
    return file.stat().st_size


def _create(file: Path) -> None:
    """An empty file that only its owner may read: it will have people's documents and addresses in it."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _copy(source: Path, draft: Path, at: Callable[[int, int], None]) -> None:
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as store:
        with closing(sqlite3.connect(draft)) as copy:
            store.backup(copy, pages=PAGES, progress=lambda status, left, total: at(total - left, total))
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a -wal beside it
            said = copy.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                raise sqlite3.DatabaseError(f"the copy is damaged: {said}")
        _sync(draft)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
