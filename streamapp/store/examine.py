"""Looking at a store without changing anything of it, not even a file beside it.

`Database` would not do: it makes a database that is not there, and changes how one is journalled. An SQLite store is
opened read-only here. Where it has no write-ahead log nobody has it open, and then it is opened as one that does not
change (``immutable``): otherwise SQLite would make that log, and leave it behind. See docs/adr/0024.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from streamapp.errors import StoreUnavailable
from streamapp.store.outage import as_unavailable
from streamapp.store.schema import clock

__all__ = [
    "file_of",
    "has_database",
    "has_wal",
    "is_in_use",
    "is_writable",
    "newest_revision",
    "now",
    "opened",
    "revision",
    "says_of_itself",
    "tables",
]

CONNECT_S = 5
STEPS = 10_000  # of SQLite's machine, between two looks at the clock
NAMED = text("SELECT 1 FROM pg_database WHERE datname = :name")
NOW = select(clock())
READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
MAY_INSERT = text("SELECT coalesce(has_table_privilege(to_regclass('jobs'), 'INSERT'), true)")  # if it is there


def file_of(url: str) -> Path | None:
    """The file of an SQLite store; None for another database."""
    parts = make_url(url)
    return Path(parts.database or "") if parts.get_backend_name() == "sqlite" else None


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A connection that reads. Raises `StoreUnavailable`."""
    file = file_of(url)
    if file is None:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_S})
    else:
        engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: _read_only(file))
    try:
        with as_unavailable(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def has_database(url: str) -> bool:
    """Whether the server of a PostgreSQL store has a database of that name; True as well where it does not say.

    The error of a connection says so in the server's language alone, without a code; so the server's own database,
    which every one has, is asked.
    """
    parts = make_url(url)
    try:
        with opened(parts.set(database="postgres").render_as_string(hide_password=False)) as connection:
            return connection.execute(NAMED, {"name": parts.database or parts.username}).first() is not None
    except (StoreUnavailable, DBAPIError):
        return True


def is_in_use(file: Path) -> bool:
    """Whether somebody has the SQLite store open, or had it when he was killed."""
    return Path(f"{file}-wal").exists()


def _read_only(file: Path) -> sqlite3.Connection:
    rest = "" if is_in_use(file) else "&immutable=1"
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{rest}", uri=True, timeout=CONNECT_S)


def revision(connection: Connection) -> str | None:
    """Which migration it is at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The last migration that this version has."""
    config = Config()
    config.set_main_option("script_location", str(files("streamapp.store") / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


def tables(connection: Connection) -> int:
    """How many tables it has."""
    return len(inspect(connection).get_table_names())


def now(connection: Connection) -> float:
    """Its clock: seconds since the epoch."""
    return float(connection.execute(NOW).scalar_one())


def has_wal(file: Path) -> bool:
    """Whether an SQLite file is journalled by a write-ahead log, by its header (https://sqlite.org/fileformat.html).

    The pragma would not do: of a file that is opened as immutable it says another mode. Ask before it is opened:
    whoever closes a file loses all locks that his process has on it.
    """
    with file.open("rb") as opened_file:
        return opened_file.read(20)[18:] == b"\2\2"


def says_of_itself(connection: Connection, timeout_s: float) -> str | None:
    """SQLite's quick check: "ok", or the first fault; None when the time is over before it is through."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    ends = time.monotonic() + timeout_s
    raw.set_progress_handler(lambda: int(time.monotonic() > ends), STEPS)
    try:
        return str(raw.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return None
        raise
    except sqlite3.DatabaseError as error:  # so damaged that the check itself stumbles over it
        return str(error)
    finally:
        raw.set_progress_handler(None, 0)


def is_writable(connection: Connection, url: str) -> bool:
    """Whether this user may write to it, as far as can be told without doing so."""
    file = file_of(url)
    if file is None:
        read_only = bool(connection.execute(READ_ONLY).scalar_one())
        return not read_only and bool(connection.execute(MAY_INSERT).scalar_one())
    beside = [Path(f"{file}{end}") for end in ("", "-wal", "-shm")]
    return all(os.access(each, os.R_OK | os.W_OK) for each in (file.parent, *filter(Path.exists, beside)))
