"""Small jobs are planned where they were accepted: what is begun, where its message goes, and what is left to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from streamapp import early
from streamapp.documents.claim import INLINE_BYTES
from streamapp.errors import BadDocument, StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs.headstart import HeadStart
from streamapp.jobs.publish import run_of
from streamapp.jobs.taskwork import Begun
from streamapp.models import Job
from streamapp.store import jobs as job_rows
from streamapp.store import rooms
from streamapp.store.database import Database
from streamapp.store.schema import jobs
from streamapp.store.sql import AnyRow
from tests.unit.jobs.test_way import Way, message, status
from tests.unit.store.rows import put, reserved, some_chunks


class FakePublisher:
    """Keeps what was sent where."""

    def __init__(self) -> None:
        self.sent: list[tuple[Run, Sequence[int] | None]] = []

    async def accepted(self, rows: Sequence[AnyRow], partitions: Sequence[int] | None = None) -> None:
        """Keep it."""
        self.sent += [(run_of(row), partitions) for row in rows]


class Beginning:
    """A head start with a real planner, and partitions 1 and 3 of the topic."""

    def __init__(self, database: Database, *outcomes: Any) -> None:
        self.way = Way(database, *outcomes)
        self.publisher = FakePublisher()
        self.mine = [1, 3]
        self.starts = HeadStart(self.publisher, self.way.planner, lambda: self.mine)
        self._database = database

    async def accept(self, *runs: Run) -> None:
        """As the intake does."""
        rows = [await self._database.read(job_rows.get, run) for run in runs]
        await self.starts.accepted(cast(Sequence[AnyRow], rows))

    async def settle(self) -> None:
        """Until nothing that was begun is under way."""
        async with asyncio.timeout(10):
            while self.starts.begun._under_way:
                await asyncio.sleep(0.005)


async def test_a_small_job_is_planned_before_its_message_comes(database: Database) -> None:
    """I expect it to be running, its message to go to a partition of this worker's, and to change nothing."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    run = reserved(database)
    await here.accept(run)
    assert here.publisher.sent == [(run, [1, 3])]
    await here.settle()
    assert status(database, run) == "running"
    assert len(here.way.publisher.rows) == 1
    await here.starts.plan(message(run))
    assert here.way.workshop.calls == 1
    await here.starts.plan(message(run))  # again, as after a rebalance
    assert here.way.workshop.calls == 1
    assert len(here.way.publisher.rows) == 1


async def test_a_message_that_comes_early_waits(database: Database) -> None:
    """I expect the agent to acknowledge nothing before what was begun is done."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    here.way.workshop.gate.clear()
    run = reserved(database)
    await here.accept(run)
    agent = asyncio.create_task(here.starts.plan(message(run)))
    await asyncio.sleep(0.05)
    assert not agent.done()
    here.way.workshop.gate.set()
    await agent
    assert status(database, run) == "running"
    assert here.way.workshop.calls == 1


async def test_a_large_job_waits_for_its_message(database: Database) -> None:
    """I expect what may take long to be for all workers to share, on any partition."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    small, large = reserved(database, size=INLINE_BYTES), reserved(database, size=INLINE_BYTES + 1)
    await here.accept(small, large)
    assert here.publisher.sent == [(small, [1, 3]), (large, None)]
    await here.settle()
    assert [status(database, run) for run in (small, large)] == ["running", "queued"]
    await here.starts.plan(message(large))
    assert status(database, large) == "running"


async def test_a_worker_that_takes_no_messages_begins_nothing(database: Database) -> None:
    """I expect one that stops, or has no partition of jobs, to leave all to others."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    here.mine = []
    run = reserved(database)
    await here.accept(run)
    assert here.publisher.sent == [(run, None)]
    await here.settle()
    assert status(database, run) == "queued"


async def test_what_comes_when_enough_is_under_way(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it to be published for whoever has time."""
    monkeypatch.setattr(early, "AT_ONCE", 2)
    here = Beginning(database, Begun(0, some_chunks(1)))
    here.way.workshop.gate.clear()
    runs = [reserved(database) for _ in range(3)]
    await here.accept(*runs)
    assert sorted(here.publisher.sent) == [(runs[0], [1, 3]), (runs[1], [1, 3]), (runs[2], None)]
    here.way.workshop.gate.set()
    await here.settle()


async def test_a_job_without_room_is_still_the_message_s(database: Database) -> None:
    """I expect it to stay queued, and to be planned by a message that comes when there is room."""

    def one_at_a_time(connection: Any) -> None:
        rooms.set_tenant(connection, "anna", None, 1, usual=False)

    database.write_sync(one_at_a_time)
    here = Beginning(database, Begun(0, some_chunks(1)))
    first, second = reserved(database), reserved(database)
    await here.accept(first)
    await here.settle()
    await here.accept(second)
    await here.settle()
    assert [status(database, run) for run in (first, second)] == ["running", "queued"]
    assert await here.way.progress.cancel(first)
    await here.starts.plan(message(second))
    assert status(database, second) == "running"


async def test_what_is_cancelled_meanwhile_stays_so(database: Database) -> None:
    """I expect a cancel between the reservation and the beginning of it to hold."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    run = reserved(database)
    rows = [cast(AnyRow, await database.read(job_rows.get, run))]
    assert await here.way.progress.cancel(run)
    await here.starts.accepted(rows)
    await here.settle()
    assert status(database, run) == "cancelled"
    assert here.way.publisher.rows == []


async def test_a_store_that_is_away_leaves_it_to_the_message(database: Database) -> None:
    """I expect what raised to be done anew when its message comes, and a job to be lost in no case."""
    here = Beginning(database, StoreUnavailable("it is away"), Begun(0, some_chunks(1)))
    run = reserved(database)
    await here.accept(run)
    await here.settle()
    assert status(database, run) == "queued"
    await here.starts.plan(message(run))
    assert status(database, run) == "running"


async def test_a_store_that_can_t_be_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect that to be what was raised, so that it is known for what passes."""
    way = Way(database, Begun(0, some_chunks(1)))
    row = cast(AnyRow, await database.read(job_rows.get, reserved(database)))

    async def away(*_: Any) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(database, "read", away)
    with pytest.raises(StoreUnavailable):
        await way.planner.begin(row)


async def test_a_document_that_is_bad_fails_the_job(database: Database) -> None:
    """I expect what the task's code says of it to end the job, as it does when the message brings it."""
    here = Beginning(database, BadDocument("it is empty"))
    run = reserved(database)
    await here.accept(run)
    await here.settle()
    assert status(database, run) == "failed"
    await here.starts.plan(message(run))
    assert here.way.workshop.calls == 1


async def test_a_message_of_an_older_run_is_its_own(database: Database) -> None:
    """I expect a next run that was begun to wait for its own message, and the older one's to be let be."""
    here = Beginning(database, Begun(0, some_chunks(1)))
    run = reserved(database)
    put(database, jobs, {"id": run.job}, run=2)
    await here.accept(Run(run.tenant, run.job, 2))
    await here.settle()
    await here.starts.plan(Job(run.tenant, run.job, 1))
    assert len(here.starts.begun._tasks) == 1
    assert status(database, run) == "running"
