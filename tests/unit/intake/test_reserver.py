"""Reservations that come together share a statement, and each has its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from streamapp.errors import StoreUnavailable
from streamapp.intake import reserver as reservers
from streamapp.intake.reserver import Reserver
from streamapp.store.database import Database
from streamapp.store.reservations import JobRemoved, NewJob, Reservation, reserve_all
from streamapp.store.schema import clock, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import tombstones
from tests.unit.store.rows import new_job, rows_of


class Counting(Database):
    """Counts the write transactions that were asked for, and may fail."""

    groups: list[int]
    fails: Callable[[Sequence[NewJob]], Exception | None] = staticmethod(lambda new: None)

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        """As before, but for the failure."""
        self.groups.append(len(args[0]))
        failure = self.fails(args[0])
        if failure:
            raise failure
        return await super().write(work, *args, **kwargs)


@pytest.fixture
def counting(database: Database) -> Counting:
    """On the migrated database of the other fixture."""
    store = Counting(database.url)
    store.groups = []
    return store


@pytest.fixture
def published() -> list[str]:
    """The jobs that were published."""
    return []


@pytest.fixture
def reserver(counting: Counting, published: list[str]) -> Reserver:
    """What is tested."""

    async def publish(rows: Sequence[AnyRow]) -> None:
        published.extend(row.id for row in rows)

    return Reserver(counting, publish)


async def together(reserver: Reserver, *new: NewJob) -> list[Any]:
    """What becomes of jobs that are reserved at once."""
    return await asyncio.gather(*(reserver.reserve(each) for each in new), return_exceptions=True)


async def settled(reserver: Reserver) -> None:
    """Until everything is published."""
    await asyncio.gather(*reserver._publishing)


async def test_a_group_is_one_write(reserver: Reserver, counting: Counting, published: list[str]) -> None:
    """I expect those that come together to be written and published together, in their order in the queue."""
    made = await together(reserver, *(new_job(id=f"{number}") for number in range(20)))
    await settled(reserver)
    assert counting.groups == [20]
    assert [each.position for each in made] == list(range(1, 21))
    assert [each.row.id for each in made] == published == [f"{number}" for number in range(20)]
    assert len(rows_of(counting, jobs)) == 20


async def test_a_group_has_a_largest_size(
    reserver: Reserver, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a long queue to be written in parts."""
    monkeypatch.setattr(reservers, "LARGEST", 8)
    made = await together(reserver, *(new_job() for _ in range(20)))
    assert counting.groups == [8, 8, 4]
    assert all(each.created for each in made)


async def test_what_names_the_same_job(reserver: Reserver, published: list[str]) -> None:
    """I expect one of a group to win an id or a key, and the others to be told so."""
    one, other, by_key, by_id = await together(
        reserver,
        new_job(id="a", idempotency_key="k"),
        new_job(id="b", idempotency_key="k", body_hash="another"),
        new_job(id="c", idempotency_key="k"),
        new_job(id="a"),
    )
    await settled(reserver)
    assert (one.created, one.same) == (True, True)
    assert (other.created, other.same, other.row.id) == (False, False, "a")
    assert (by_key.created, by_key.same, by_key.row.id) == (False, True, "a")
    assert (by_id.created, by_id.same, by_id.row.id) == (False, True, "a")
    assert published == ["a"]


async def test_a_removed_job_refuses_itself_only(reserver: Reserver, counting: Counting) -> None:
    """I expect the others of its group to be reserved, and a stranger's tombstone to say nothing."""
    gone = {"job": "gone", "run": 1, "body_hash": "one body", "status": "succeeded", "removed_at": clock()}
    counting.write_sync(lambda c: c.execute(insert(tombstones).values(tenant="anna", **gone)))
    removed, fine, theirs = await together(reserver, new_job(id="gone"), new_job(), new_job("ben", id="gone"))
    assert isinstance(removed, JobRemoved)
    assert removed.same
    assert fine.created
    assert theirs.created


async def test_what_one_makes_fail_is_its_own(reserver: Reserver, counting: Counting, published: list[str]) -> None:
    """I expect a job that the database refuses to fail alone, and the others to be reserved once each."""
    counting.fails = lambda new: ValueError("a bug") if any(each.id == "bad" for each in new) else None
    before, bad, after = await together(reserver, new_job(id="x"), new_job(id="bad"), new_job(id="y"))
    await settled(reserver)
    assert isinstance(bad, ValueError)
    assert before.created
    assert after.created
    assert published == ["x", "y"]


async def test_an_outage_is_everybodys(reserver: Reserver, counting: Counting, published: list[str]) -> None:
    """I expect all of a group to hear that the store is away, and the next one to be served when it is back."""
    counting.fails = lambda new: StoreUnavailable("away")
    assert all(isinstance(each, StoreUnavailable) for each in await together(reserver, new_job(), new_job()))
    assert counting.groups == [2]
    counting.fails = lambda new: None
    (made,) = await together(reserver, new_job(id="back"))
    await settled(reserver)
    assert made.created
    assert published == ["back"]


async def test_who_is_cancelled_is_reserved_all_the_same(
    reserver: Reserver, counting: Counting, published: list[str]
) -> None:
    """I expect a client that hung up to find its job, and the others of its group to be answered."""
    leaving = asyncio.create_task(reserver.reserve(new_job(id="left")))
    staying = asyncio.create_task(reserver.reserve(new_job(id="stays")))
    await asyncio.sleep(0)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    assert (await staying).created
    await settled(reserver)
    assert sorted(published) == ["left", "stays"]


async def test_publishing_that_fails_is_left_to_the_relay(counting: Counting, caplog: pytest.LogCaptureFixture) -> None:
    """I expect the answer to be given all the same, and the log to say what waits."""

    async def publish(rows: Sequence[AnyRow]) -> None:
        raise LookupError("no broker")

    reserver = Reserver(counting, publish)
    assert (await reserver.reserve(new_job())).created
    await settled(reserver)
    assert "left to the relay" in caplog.text


def test_many_statements_do_not_grow(database: Database) -> None:
    """I expect a hundred reservations to take as many statements as one."""
    statements: list[str] = []

    def work(connection: Connection, count: int) -> list[Reservation | JobRemoved]:
        statements.clear()
        driver: Any = connection.connection.dbapi_connection
        driver.set_trace_callback(statements.append)  # what SQLite runs, whoever has asked for it
        try:
            return reserve_all(connection, [new_job() for _ in range(count)])
        finally:
            driver.set_trace_callback(None)

    database.write_sync(work, 1)
    database.write_sync(work, 1)
    few = len(statements)
    assert len(database.write_sync(work, 30)) == 30
    assert len(statements) == few
