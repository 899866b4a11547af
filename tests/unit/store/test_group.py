"""Group commit: writes share a transaction, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from streamapp.errors import StoreUnavailable
from streamapp.store.database import Database
from streamapp.store.reservations import reserve
from streamapp.store.schema import jobs
from tests.unit.store.rows import new_job, rows_of


class Gate:
    """A write that waits in its transaction until it is let go, so that others come together behind it."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.open = threading.Event()

    def __call__(self, connection: Connection) -> None:
        """Wait."""
        self.inside.set()
        assert self.open.wait(10)


@contextmanager
def commits(database: Database) -> Iterator[list[int]]:
    """Counts the transactions of a database from here on."""
    real, counted = database._transaction, []

    @contextmanager
    def counting(durable: bool) -> Iterator[Connection]:
        with real(durable) as connection:
            counted.append(1)
            yield connection

    assert database._writes is not None
    database._writes._transaction = counting
    yield counted


async def behind(database: Database, *calls: Callable[[Connection], object]) -> list[object]:
    """What these writes give when they come together behind another one."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    while not gate.inside.is_set():
        await asyncio.sleep(0.001)
    tasks = [asyncio.create_task(database.write(call)) for call in calls]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_together_shares_a_transaction(database: Database) -> None:
    """I expect a hundred writes behind another one to take one transaction more, and all to hold."""
    with commits(database) as counted:
        found = await behind(database, *(lambda c, n=n: reserve(c, new_job(id=f"{n}")).created for n in range(100)))
    assert found == [True] * 100
    assert len(counted) == 2
    assert len(rows_of(database, jobs)) == 100


@pytest.mark.parametrize(
    ("durable", "level"), [((True,), 2), ((False,), 1), ((False, True), 2), ((False, False), 1)], ids=str
)
async def test_only_what_must_be_waits_for_the_disk(database: Database, durable: tuple[bool, ...], level: int) -> None:
    """I expect SQLite to sync a commit (2) as soon as one of its group is a write, and not (1) for notes alone."""
    levels: list[int] = []

    def look(connection: Connection) -> None:
        levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    while not gate.inside.is_set():
        await asyncio.sleep(0.001)
    tasks = [asyncio.create_task((database.write if each else database.note)(look)) for each in durable]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, *tasks)
    assert levels == [level] * len(durable)
    await database.write(look)
    assert levels[-1] == 2


async def test_a_group_has_a_largest_size(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a long queue to be committed in parts, so that its first does not wait for its last."""
    monkeypatch.setattr(database._writes, "_largest", 4)
    with commits(database) as counted:
        assert await behind(database, *(lambda c, n=n: n for n in range(10))) == list(range(10))
    assert len(counted) == 1 + 3


async def test_reads_that_come_together_share_a_transaction(database: Database) -> None:
    """I expect ten reads behind two that hold both ways to take one more, and the error of one to be its own."""
    gates = [Gate(), Gate()]
    real, counted = database._snapshot, []

    @contextmanager
    def counting(durable: bool) -> Iterator[Connection]:
        with real(durable) as connection:
            counted.append(1)
            yield connection

    def bad(connection: Connection) -> None:
        raise LookupError("a bug")

    assert database._reads is not None
    database._reads._transaction = counting
    held = []
    for gate in gates:
        held.append(asyncio.create_task(database.read(gate)))
        while not gate.inside.is_set():
            await asyncio.sleep(0.001)
    calls = [*(lambda c, n=n: c.exec_driver_sql(f"SELECT {n}").scalar_one() for n in range(9)), bad]
    tasks = [asyncio.create_task(database.read(call)) for call in calls]
    await asyncio.sleep(0)
    for gate in gates:
        gate.open.set()
    found: list[object] = list(await asyncio.gather(*tasks, return_exceptions=True))
    await asyncio.gather(*held)
    assert found[:9] == list(range(9))
    assert isinstance(found[9], LookupError)
    assert len(counted) == 2 + 1


async def test_a_call_that_raises_undoes_itself_alone(database: Database) -> None:
    """I expect its error to reach its caller, its rows to be gone, and its neighbours' rows to stand."""

    def bad(connection: Connection) -> None:
        reserve(connection, new_job(id="bad"))
        raise LookupError("a bug")

    def twice(connection: Connection) -> None:
        reserve(connection, new_job(id="twice"))
        connection.execute(text("INSERT INTO tenants (tenant) VALUES ('anna')"))

    found = await behind(
        database,
        lambda c: reserve(c, new_job(id="before")).created,
        bad,
        twice,
        lambda c: reserve(c, new_job(id="after")).created,
    )
    assert found[0] is True
    assert isinstance(found[1], LookupError)
    assert isinstance(found[2], IntegrityError)
    assert found[3] is True
    assert {row.id for row in rows_of(database, jobs)} == {"before", "after"}


async def test_a_full_disk_fails_the_whole_group(database: Database) -> None:
    """I expect nobody to be told that a write holds that does not, and the next one to work again."""

    def full(connection: Connection) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    with commits(database) as counted:
        found = await behind(database, lambda c: reserve(c, new_job(id="before")), full, lambda c: 1)
    assert [type(each) for each in found] == [StoreUnavailable] * 3
    assert len(counted) == 1 + 1, "it is not tried again"
    assert rows_of(database, jobs) == []
    assert (await database.write(reserve, new_job(id="again"))).created


async def test_a_commit_that_fails_is_told(database: Database) -> None:
    """I expect `StoreUnavailable` where the rows were written and the commit was not."""
    real = database._transaction

    @contextmanager
    def failing(durable: bool) -> Iterator[Connection]:
        with real(durable) as connection:
            yield connection
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    assert database._writes is not None
    database._writes._transaction = failing
    with pytest.raises(StoreUnavailable, match="disk I/O"):
        await database.write(reserve, new_job(id="lost"))
    assert rows_of(database, jobs) == []


async def test_a_caller_that_is_cancelled_harms_nobody(database: Database) -> None:
    """I expect the write of a cancelled caller to stand all the same, and the others to get their answers."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    while not gate.inside.is_set():
        await asyncio.sleep(0.001)
    cancelled = asyncio.create_task(database.write(reserve, new_job(id="cancelled")))
    other = asyncio.create_task(database.write(reserve, new_job(id="other")))
    await asyncio.sleep(0)
    cancelled.cancel()
    first.cancel()
    gate.open.set()
    assert (await other).created
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert {row.id for row in rows_of(database, jobs)} == {"cancelled", "other"}


async def test_the_real_database_when_it_is_full(database: Database) -> None:
    """I expect SQLite's own word for a full disk to come as `StoreUnavailable`, and reads to go on."""
    await database.write(reserve, new_job(id="fits"))

    def small(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await database.write(small)
    with pytest.raises(StoreUnavailable, match="full"):
        await database.write(reserve, new_job(id="large", params="x" * 200_000))
    assert [row.id for row in rows_of(database, jobs)] == ["fits"]


async def test_another_s_lock_is_an_outage(database: Database, tmp_path: Path) -> None:
    """I expect a write to be refused as transient while another process holds the file, and to work after that."""
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with database._writing.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
            connection.rollback()
        with pytest.raises(StoreUnavailable, match="locked"):
            await database.write(reserve, new_job())
        other.execute("ROLLBACK")
        assert (await database.write(reserve, new_job())).created
    finally:
        other.close()
