"""Jobs and chunks for the store's tests, with as little said as a test needs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select, update

from streamapp.identity import Run
from streamapp.store import credits
from streamapp.store.chunks import ChunkKey, begin_step, store_result
from streamapp.store.database import Database
from streamapp.store.newchunk import NewChunk
from streamapp.store.reservations import NewJob, reserve
from streamapp.store.sql import AnyRow

_numbers = itertools.count(1)


def new_job(tenant: str = "anna", id: str | None = None, **fields: Any) -> NewJob:
    """A submission; ids count up."""
    given: dict[str, Any] = {
        "task": "echo",
        "params": "{}",
        "name": None,
        "document": "data:;base64,SGVsbG8=",
        "media_type": "text/plain",
        "size": 5,
        "body_hash": "one body",
        **fields,
    }
    return NewJob(tenant=tenant, id=id or f"job-{next(_numbers):06}", **given)


def reserved(database: Database, tenant: str = "anna", **fields: Any) -> Run:
    """A queued job."""
    row = database.write_sync(reserve, new_job(tenant, **fields)).row
    return Run(row.tenant, row.id, row.run)


def some_chunks(count: int, predictor: str = "model", size: int = 2) -> list[NewChunk]:
    """Chunks of `size` items each."""
    items = b"[" + b",".join([b"{}"] * size) + b"]"
    return [NewChunk(predictor, number, size, items) for number in range(count)]


def running(database: Database, chunks: int = 3, tenant: str = "anna", predictor: str = "model", **fields: Any) -> Run:
    """A job whose first step has that many waiting chunks."""
    run = reserved(database, tenant, **fields)
    assert database.write_sync(begin_step, run, None, 0, some_chunks(chunks, predictor))
    return run


def key(run: Run, chunk: int, step: int = 0, predictor: str = "model") -> ChunkKey:
    """A chunk's key."""
    return ChunkKey(run, step, predictor, chunk)


def fly(
    database: Database, credits_: int, predictor: str = "model", small: credits.Small = credits.NO_MORE, full: int = 1
) -> list[AnyRow]:
    """Give out credits until that many chunks fly, and small ones beyond that."""
    return database.write_sync(credits.take_off, predictor, credits_, small, full)


def land(database: Database, rows: Sequence[AnyRow]) -> None:
    """Store a result for each of these chunks."""
    for row in rows:
        where = ChunkKey(Run(row.tenant, row.job, row.run), row.step, row.predictor, row.chunk)
        database.write_sync(store_result, where, b"[]")


def row_of(database: Database, table: Table, **where: Any) -> AnyRow:
    """The one row with these values."""
    (row,) = rows_of(database, table, **where)
    return row


def rows_of(database: Database, table: Table, **where: Any) -> Sequence[AnyRow]:
    """All rows with these values."""
    query = select(table).where(*(table.c[name] == value for name, value in where.items()))
    return database.read_sync(lambda connection: connection.execute(query).all())


def put(database: Database, table: Table, where: dict[str, Any], **values: Any) -> None:
    """Write values straight into a table: how tests make time pass."""

    def work(connection: Connection) -> None:
        matching = (table.c[name] == value for name, value in where.items())
        connection.execute(update(table).where(*matching).values(**values))

    database.write_sync(work)
