"""Plan, collect, progress and sweep together on a real store, with the topics and the workshop as fakes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from streamapp.errors import BadDocument, StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import collect, progress
from streamapp.jobs.collect import Collector
from streamapp.jobs.errands import Errands
from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.plan import Planner
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher, key_of
from streamapp.jobs.sweep import Sweeper
from streamapp.jobs.taskwork import Begun
from streamapp.models import ChunkResult, Job, WorkerBeat
from streamapp.sending import Place
from streamapp.store import jobs as job_rows
from streamapp.store import outbox, rooms
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report
from tests.unit.store.rows import land, put, reserved, row_of, rows_of, some_chunks

REPORT = Report(subject="Done", text="All of it.")


class FakePublisher:
    """A broker that has everything at once, or nothing while it is `away`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offsets = itertools.count()
        self.away = False
        self.runs: list[Run] = []
        self.rows: list[AnyRow] = []
        self.due: list[Due] = []

    async def jobs(self, runs: Sequence[Run]) -> None:
        """Keep them."""
        if runs and not self.away:
            self.runs += runs
            await self._database.write(outbox.jobs_published, runs, self._places(runs))

    async def chunks(self, rows: Sequence[AnyRow]) -> None:
        """Keep them."""
        if rows and not self.away:
            self.rows += rows
            await self._database.write(outbox.chunks_published, [key_of(row) for row in rows], self._places(rows))

    async def deliveries(self, due: Sequence[Due]) -> None:
        """Keep them."""
        if due and not self.away:
            self.due += due
            await self._database.write(outbox.deliveries_published, due, self._places(due))

    async def left(self, read: Awaitable[Sequence[AnyRow]], key: Callable[[AnyRow], Hashable]) -> Sequence[AnyRow]:
        """All of them: what it publishes, it has published at once."""
        return await read

    def _places(self, sent: Sequence[Any]) -> list[Place]:
        return [Place(0, next(self._offsets)) for _ in sent]


class FakeLostAndFound:
    """Counts the looks, which wait while `gate` is clear."""

    def __init__(self) -> None:
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def look(self) -> int:
        """Find nothing."""
        self.looks += 1
        await self.gate.wait()
        return 0


class FakeWorkshop:
    """Gives what the test says, or raises it; waits while `gate` is clear."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.at_once = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run_sized(self, size: int, work: Callable[..., Any], *args: Any) -> Any:
        """The next outcome; the last one stays."""
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.gate.wait()
        await asyncio.sleep(0)
        self.at_once -= 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Way:
    """Everything between the topics."""

    def __init__(self, database: Database, *outcomes: Any, memory_s: float | None = None) -> None:
        self.workshop = FakeWorkshop(*outcomes)
        self.publisher = FakePublisher(database)
        workshop, publisher = cast(Errands, self.workshop), cast(Publisher, self.publisher)
        self.progress = Progress(database, publisher, memory_s=memory_s)
        self.collector = Collector(database, workshop, self.progress)
        self.planner = Planner(database, workshop, self.progress, self.collector)
        self.lost = FakeLostAndFound()
        self.sweeper = self.another_sweeper(database)

    def another_sweeper(self, database: Database) -> Sweeper:
        """One more worker's."""
        publisher, lost = cast(Publisher, self.publisher), cast(LostAndFound, self.lost)
        return Sweeper(database, publisher, self.progress, self.collector, lost, ("model",), 100.0)

    async def results(self, rows: Sequence[AnyRow], seconds: float = 0.5) -> None:
        """What a model worker sends for these chunks, each after so many seconds."""
        for row in list(rows):
            await self.collector.collect(
                ChunkResult(
                    row.tenant,
                    row.job,
                    row.run,
                    row.step,
                    row.chunk,
                    row.predictor,
                    "1",
                    "w",
                    seconds,
                    [{"out": {}}] * row.size,
                )
            )


def rows_flying(database: Database) -> Sequence[AnyRow]:
    """The chunks that fly."""
    return rows_of(database, chunks, state="flying")


def status(database: Database, run: Run) -> str:
    """The job's."""
    found: str = row_of(database, jobs, id=run.job).status
    return found


def message(run: Run) -> Job:
    """What the intake publishes."""
    return Job(run.tenant, run.job, run.run)


async def test_the_whole_way(database: Database) -> None:
    """I expect every chunk to fly once, within the credits, and the deliveries to be published at the end."""
    way = Way(database, Begun(0, some_chunks(10)), REPORT)
    run = reserved(database, email="reader@example.org")
    await way.planner.plan(message(run))
    assert len(way.publisher.rows) == 4
    done = 0
    while done < len(way.publisher.rows):
        await way.results(way.publisher.rows[done : done + 1])
        done += 1
    assert [row.chunk for row in way.publisher.rows] == list(range(10))
    assert status(database, run) == "succeeded"
    assert sorted(each.kind for each in way.publisher.due) == ["email", "notification"]
    assert rows_of(database, chunks) == []


async def test_what_comes_back_quickly_lets_more_fly(database: Database) -> None:
    """I expect the chunks of a quick predictor to fly in growing numbers, while they hold few items."""
    way = Way(database, Begun(0, some_chunks(40, size=1)))
    await way.planner.plan(message(reserved(database)))
    flying = []
    for _ in range(3):
        before = len(way.publisher.rows)
        await way.results(rows_flying(database), seconds=0.01)
        flying.append(len(way.publisher.rows) - before)
    assert flying == [8, 16, 12], "the last are all that is left"


async def test_what_ends_together_is_told_together(database: Database) -> None:
    """I expect the chunks that become due while others are given credits to share the next giving, without a loss."""
    way = Way(database, *(Begun(0, some_chunks(1)) for _ in range(20)), *[REPORT] * 20)
    counted: list[int] = []
    real = way.publisher.chunks

    async def counting(rows: Sequence[AnyRow]) -> None:
        counted.append(len(rows))
        await real(rows)

    way.publisher.chunks = counting  # type: ignore[method-assign]
    await asyncio.gather(*(way.planner.plan(message(reserved(database))) for _ in range(20)))
    assert len(counted) < 20
    for _ in range(20):
        await asyncio.gather(*(way.results([row]) for row in rows_flying(database)))
    assert len(way.publisher.rows) == 20
    assert {row.status for row in rows_of(database, jobs)} == {"succeeded"}


async def test_every_message_twice(database: Database) -> None:
    """I expect a redelivery of each message at each point to change nothing."""
    way = Way(database, Begun(0, some_chunks(3)), REPORT)
    run = reserved(database, email="reader@example.org")
    await way.planner.plan(message(run))
    await way.planner.plan(message(run))
    assert len(way.publisher.rows) == 3
    for row in list(way.publisher.rows):
        await way.results([row])
        await way.results([row])
    for row in list(way.publisher.rows):
        await way.results([row])
    await way.planner.plan(message(run))
    assert len(way.publisher.rows) == 3
    assert len(rows_of(database, deliveries)) == 2
    assert way.workshop.calls == 2


async def test_planned_twice_at_once(database: Database) -> None:
    """I expect two workers that plan the same job at the same moment to insert its chunks once."""
    way = Way(database, Begun(0, some_chunks(3)))
    run = reserved(database)
    await asyncio.gather(*(way.planner.plan(message(run)) for _ in range(4)))
    assert len(rows_of(database, chunks)) == 3
    assert len(way.publisher.rows) == 3


async def test_cancelled_while_it_is_planned(database: Database) -> None:
    """I expect a cancel to hold: no chunks, no deliveries."""
    way = Way(database, Begun(0, some_chunks(3)))
    run = reserved(database)
    way.workshop.gate.clear()
    task = asyncio.create_task(way.planner.plan(message(run)))
    await asyncio.sleep(0.05)
    assert await way.progress.cancel(run) is True
    way.workshop.gate.set()
    await task
    assert status(database, run) == "cancelled"
    assert rows_of(database, chunks) == []
    assert way.publisher.due == []


async def test_cancelled_while_it_is_reduced(database: Database) -> None:
    """I expect a job whose owner gave up in the last moment to tell nobody anything."""
    way = Way(database, Begun(0, some_chunks(1)), REPORT)
    run = reserved(database, email="reader@example.org")
    await way.planner.plan(message(run))
    way.workshop.gate.clear()
    task = asyncio.create_task(way.results(way.publisher.rows))
    await asyncio.sleep(0.05)
    assert await way.progress.cancel(run) is True
    way.workshop.gate.set()
    await task
    assert status(database, run) == "cancelled"
    assert rows_of(database, deliveries) == []
    assert await way.progress.cancel(run) is False


async def test_a_bad_document_fails_the_job(database: Database) -> None:
    """I expect its owner to be told why."""
    way = Way(database, BadDocument("The document is empty."))
    run = reserved(database, email="reader@example.org")
    await way.planner.plan(message(run))
    row = row_of(database, jobs, id=run.job)
    assert (row.status, row.error) == ("failed", "The document is empty.")
    assert len(way.publisher.due) == 2


@pytest.mark.parametrize("reason", ["a\0b", "a\ud800b", "x" * 100_000], ids=["NUL", "surrogate", "long"])
async def test_any_reason_can_be_stored(database: Database, reason: str) -> None:
    """I expect a task that quotes its document in an error to fail its job all the same."""
    way = Way(database, BadDocument(reason))
    run = reserved(database)
    await way.planner.plan(message(run))
    row = row_of(database, jobs, id=run.job)
    assert row.status == "failed"
    assert "\0" not in row.error
    assert len(row.error.encode()) < 10_000


async def test_reduces_are_bounded(database: Database) -> None:
    """I expect many large jobs that end at the same moment not to be held in memory all at once."""
    way = Way(database, REPORT)
    ended = []
    for _ in range(8):
        run = reserved(database, size=100_000)
        await way.progress.take(run, None, Begun(0, some_chunks(1)))
        ended.append(run)
    put(database, chunks, {"state": "waiting"}, state="flying", flying_at=clock(), published_at=clock())
    for run in ended:
        put(database, jobs, {"id": run.job}, waiting=0)
    await asyncio.gather(*(way.results([row]) for row in rows_of(database, chunks)))
    assert way.workshop.most <= 2
    assert {status(database, run) for run in ended} == {"succeeded"}


@pytest.mark.parametrize(("size", "items", "looks"), [(100, 2, 0), (100, 100, 1), (100_000, 2, 1)])
async def test_few_results_come_with_the_last_one(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int, items: int, looks: int
) -> None:
    """I expect a small job's results to be read as its last one is stored, and a large one's in their turn."""
    way = Way(database, REPORT)
    run = reserved(database, size=size)
    await way.progress.take(run, None, Begun(0, some_chunks(2, size=items // 2)))
    seen: list[Any] = []
    read = database.read

    async def reading(work: Callable[..., Any], *args: Any) -> Any:
        seen.append(work)
        return await read(work, *args)

    monkeypatch.setattr(database, "read", reading)
    await way.results(way.publisher.rows)
    assert seen.count(collect._results) == looks
    assert status(database, run) == "succeeded"


async def test_who_ends_together_shares_the_look_for_room(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect jobs of two tenants that end at the same time to let the next of each in, by fewer looks than ends."""

    def two_at_a_time(connection: Connection) -> None:
        for tenant in ("anna", "ben"):
            rooms.set_tenant(connection, tenant, None, 2, usual=False)

    database.write_sync(two_at_a_time)
    way = Way(database, REPORT)
    runs = [reserved(database, tenant) for tenant in ("anna", "ben") for _ in range(4)]
    looks: list[Sequence[str]] = []
    read = database.read

    async def reading(work: Callable[..., Any], *args: Any) -> Any:
        if work is progress._waiting:
            looks.append(args[0])
        return await read(work, *args)

    monkeypatch.setattr(database, "read", reading)
    await asyncio.gather(*(way.progress.cancel(run) for run in [*runs[:2], *runs[4:6]]))
    assert 0 < len(looks) < 4
    assert {tenant for look in looks for tenant in look} == {"anna", "ben"}
    assert sorted(set(way.publisher.runs)) == sorted([*runs[2:4], *runs[6:]])


async def test_a_broker_that_was_away(database: Database) -> None:
    """I expect the sweep to publish what could not be published, each thing once."""
    way = Way(database, Begun(0, some_chunks(2)), REPORT)
    run = reserved(database, email="reader@example.org")
    way.publisher.away = True
    await way.sweeper.sweep(0.0)
    assert way.publisher.runs == []
    way.publisher.away = False
    await way.sweeper.sweep(0.0)
    await way.sweeper.sweep(0.0)
    assert way.publisher.runs == [run]
    way.publisher.away = True
    await way.planner.plan(message(run))
    assert way.publisher.rows == []
    way.publisher.away = False
    for _ in range(2):
        await way.sweeper.sweep(0.0)
    assert [row.chunk for row in way.publisher.rows] == [0, 1]
    way.publisher.away = True
    await way.results(way.publisher.rows)
    way.publisher.away = False
    for _ in range(2):
        await way.sweeper.sweep(0.0)
    assert sorted(each.kind for each in way.publisher.due) == ["email", "notification"]


async def test_a_crash_before_the_reduce(database: Database) -> None:
    """I expect the sweep to reduce a step whose last result was stored by a worker that died then."""
    way = Way(database, Begun(0, some_chunks(2)), REPORT)
    run = reserved(database)
    await way.planner.plan(message(run))
    land(database, way.publisher.rows)
    await way.sweeper.sweep(0.0)
    async with asyncio.timeout(5):
        while status(database, run) != "succeeded":
            await asyncio.sleep(0.01)


async def test_a_reduce_that_raises_holds_up_nothing(database: Database) -> None:
    """I expect the sweep to relay and to end what is overdue although one job's reduce meets a bug each time."""
    way = Way(database, Begun(0, some_chunks(1)), ZeroDivisionError("a bug"))
    broken = reserved(database)
    await way.planner.plan(message(broken))
    land(database, way.publisher.rows)
    late, left = reserved(database, deadline=1.0), reserved(database)
    for _ in range(2):
        await way.sweeper.sweep(0.0)
        await asyncio.sleep(0.05)
    assert status(database, late) == "expired"
    assert left in way.publisher.runs


async def test_a_long_reduce_holds_up_nothing(database: Database) -> None:
    """I expect sweeps to go on while a reduce that a sweep found takes its minutes, and not to begin it twice."""
    way = Way(database, Begun(0, some_chunks(1)), REPORT)
    run = reserved(database)
    await way.planner.plan(message(run))
    land(database, way.publisher.rows)
    way.workshop.gate.clear()
    for _ in range(3):
        async with asyncio.timeout(5):
            await way.sweeper.sweep(0.0)
        await asyncio.sleep(0.02)
    assert way.workshop.calls == 2
    way.workshop.gate.set()
    async with asyncio.timeout(5):
        while status(database, run) != "succeeded":
            await asyncio.sleep(0.01)


async def test_overdue_jobs_end(database: Database) -> None:
    """I expect a job past its deadline to be expired, one that runs for too long to fail, and both to be told."""
    way = Way(database, Begun(0, some_chunks(1)))
    late, endless = reserved(database, deadline=1.0), reserved(database)
    await way.planner.plan(message(endless))
    put(database, jobs, {"id": endless.job}, started_at=clock() - 101.0)
    await way.sweeper.sweep()
    assert (status(database, late), status(database, endless)) == ("expired", "failed")
    assert len(way.publisher.due) == 2


async def test_the_sweep_never_raises(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a store that is away to end neither the sweep nor its loop."""

    async def away(*_: Any) -> None:
        raise StoreUnavailable("locked")

    way = Way(database, REPORT)
    monkeypatch.setattr(database, "read", away)
    monkeypatch.setattr(database, "write", away)
    await way.sweeper.sweep(0.0)
    task = asyncio.create_task(way.sweeper.run())
    await asyncio.sleep(0.02)
    way.sweeper.stop()
    await task


async def test_a_new_worker_brings_credits(database: Database) -> None:
    """I expect four more chunks to fly for each model worker that is heard of, and none for one that left."""
    way = Way(database, Begun(0, some_chunks(20)))
    run = reserved(database)
    await way.planner.plan(message(run))
    flying = []
    for name in ("a", "b", "c"):
        await way.collector.note(WorkerBeat(name, "h", 1, "cpu", ["model"], 0, 0, 0.0))
        flying.append(len(way.publisher.rows))
    assert flying == [4, 8, 12]
    await way.collector.note(WorkerBeat("c", "h", 1, "cpu", ["model"], 0, 0, 0.0, leaving=True))
    await way.results(way.publisher.rows[:4])
    assert len(way.publisher.rows) == 12
    assert await asyncio.to_thread(database.read_sync, job_rows.waiting_for) == 1
