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
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from streamapp import faults
from streamapp.errors import StoreUnavailable
from streamapp.store.group import Call, Groups, commit, look_up
from streamapp.store.outage import as_unavailable

__all__ = ["Database"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
ABREAST = 2  # groups of small reads on SQLite: more would fight over the interpreter
READS = 32  # in a group
WRITERS = 8  # PostgreSQL only
DURABLE = "durable"  # an option of a connection
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
        self._noting = self._writing.execution_options(**{DURABLE: False})
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writers = ThreadPoolExecutor(1 if self.sqlite else WRITERS, thread_name_prefix="store-write")
        self._writes = Groups(self._writers, self._transaction, commit) if self.sqlite else None
        self._reads = (
            Groups(self._readers, self._snapshot, look_up, abreast=ABREAST, largest=READS) if self.sqlite else None
        )

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction."""
        call = _Bound(work, args, kwargs)
        if self._reads is not None:
            return await self._reads.submit(call)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, call)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a write transaction and commit. It may run more than once, so it touches nothing but SQL."""
        return await self._written(_Bound(work, args, kwargs))

    async def note(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, without waiting for the disk: a power cut may take it back, with all that was noted after it.

        For what is then found and done again by itself, and what nobody outside was told; see docs/adr/0015.
        """
        return await self._written(_Bound(work, args, kwargs, durable=False))

    async def _written(self, call: _Bound[T]) -> T:
        faults.cross(f"store.before.{call.name}")
        if self._writes is not None:
            written = await self._writes.submit(call)
        else:
            written = await asyncio.get_running_loop().run_in_executor(self._writers, self._write_now, call)
        faults.cross(f"store.after.{call.name}")
        return written

    def read_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `read`, for a thread without an event loop."""
        return self._read_now(_Bound(work, args, kwargs))

    def write_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `write`, for a thread without an event loop."""
        return self._write_now(_Bound(work, args, kwargs))

    def note_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `note`, for a thread without an event loop."""
        return self._write_now(_Bound(work, args, kwargs, durable=False))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in a write transaction, for migrations."""
        with self._transaction(True) as connection:
            yield connection

    def close(self) -> None:
        """Let the connections go, after what runs has ended."""
        self._readers.shutdown()
        self._writers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _transaction(self, durable: bool) -> Iterator[Connection]:
        engine = self._writing if durable else self._noting
        with as_unavailable(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _snapshot(self, durable: bool = False) -> Iterator[Connection]:
        with as_unavailable(), self._reading.begin() as connection:
            yield connection

    def _read_now(self, call: Call[T]) -> T:
        with self._snapshot() as connection:
            return call(connection)

    def _write_now(self, call: Call[T]) -> T:
        for attempt in range(RETRIES):
            try:
                with self._transaction(call.durable) as connection:
                    return call(connection)
            except StoreUnavailable as error:
                cause = error.__cause__
                retryable = isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in RETRYABLE
                if not retryable or attempt == RETRIES - 1:
                    raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")


class _Bound(Generic[T]):
    """A function and all of its arguments but the connection."""

    def __init__(self, work: Callable[..., T], args: Any, kwargs: Any, *, durable: bool = True) -> None:
        self.name = getattr(work, "__name__", "")
        self.durable = durable
        self._work = work
        self._args = args
        self._kwargs = kwargs

    def __call__(self, connection: Connection) -> T:
        """Run it."""
        return self._work(connection, *self._args, **self._kwargs)


def _engine(url: str, *, begin: str, size: int) -> Engine:
    if not url.startswith("sqlite"):
        engine = create_engine(
            url, pool_size=size, max_overflow=0, pool_pre_ping=True, pool_timeout=10, connect_args=POSTGRESQL
        )

        @event.listens_for(engine, "begin")
        def _soften(connection: Connection) -> None:
            if not _is_durable(connection):
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

        return engine
    engine = create_engine(
        url, pool_size=size, max_overflow=0, connect_args={"timeout": 10, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # of the connection, and so to be said each time; it can't be said within a transaction
        level = "FULL" if _is_durable(connection) else "NORMAL"
        connection.connection.cursor().execute(f"PRAGMA synchronous={level}").close()
        connection.exec_driver_sql(begin)

    return engine


def _is_durable(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(DURABLE, True))
