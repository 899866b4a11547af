"""One database, used from the event loop and from ordinary threads alike.

Everything that speaks SQL in this project is a plain function on a `Connection`; `Database` runs it in a transaction
of its own, off the event loop. SQLite has one writer, so there writes that come together share a transaction and its
one fsync (group commit), and reads that come together share one too; PostgreSQL does that itself, so there each is a
transaction. See docs/adr/0002.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from streamapp import faults
from streamapp.errors import StoreUnavailable
from streamapp.store.group import Groups, commit, look_up
from streamapp.store.outage import as_unavailable

__all__ = ["Database"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
ABREAST = 2  # groups of small reads on SQLite: more would fight over the interpreter
READS = 32  # in a group
WRITERS = 8  # PostgreSQL only
RETRYABLE = ("40001", "40P01")  # serialization failure, deadlock detected: PostgreSQL says to do it again
RETRIES = 5
# libpq's options: a server that vanished without a word is noticed within half a minute, not after hours
POSTGRESQL = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 20_000}


class Database:
    """Runs functions on connections. Raises `StoreUnavailable` when the database can't be used right now."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self._reading = _engine(url, begin="BEGIN", size=READERS)
        self._writing = _engine(url, begin="BEGIN IMMEDIATE", size=1 if self.sqlite else WRITERS)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writers = ThreadPoolExecutor(1 if self.sqlite else WRITERS, thread_name_prefix="store-write")
        self._writes = Groups(self._writers, self._transaction, commit) if self.sqlite else None
        self._reads = (
            Groups(self._readers, self._snapshot, look_up, abreast=ABREAST, largest=READS) if self.sqlite else None
        )

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction."""
        call = _bound(work, args, kwargs)
        if self._reads is not None:
            return await self._reads.submit(call)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, call)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a write transaction and commit. It may run more than once, so it touches nothing but SQL."""
        call = _bound(work, args, kwargs)
        name = getattr(work, "__name__", "")
        faults.cross(f"store.before.{name}")
        if self._writes is not None:
            written = await self._writes.submit(call)
        else:
            written = await asyncio.get_running_loop().run_in_executor(self._writers, self._write_now, call)
        faults.cross(f"store.after.{name}")
        return written

    def read_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `read`, for a thread without an event loop."""
        return self._read_now(_bound(work, args, kwargs))

    def write_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `write`, for a thread without an event loop."""
        return self._write_now(_bound(work, args, kwargs))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in a write transaction, for migrations."""
        with self._transaction() as connection:
            yield connection

    def close(self) -> None:
        """Let the connections go, after what runs has ended."""
        self._readers.shutdown()
        self._writers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with as_unavailable(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        with as_unavailable(), self._reading.begin() as connection:
            yield connection

    def _read_now(self, call: Callable[[Connection], T]) -> T:
        with self._snapshot() as connection:
            return call(connection)

    def _write_now(self, call: Callable[[Connection], T]) -> T:
        for attempt in range(RETRIES):
            try:
                with as_unavailable(), self._writing.begin() as connection:
                    return call(connection)
            except StoreUnavailable as error:
                cause = error.__cause__
                retryable = isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in RETRYABLE
                if not retryable or attempt == RETRIES - 1:
                    raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")


def _bound(work: Callable[..., T], args: Any, kwargs: Any) -> Callable[[Connection], T]:
    return lambda connection: work(connection, *args, **kwargs)


def _engine(url: str, *, begin: str, size: int) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_size=size, max_overflow=0, pool_pre_ping=True, pool_timeout=10, connect_args=POSTGRESQL
        )
    engine = create_engine(
        url, pool_size=size, max_overflow=0, connect_args={"timeout": 10, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
