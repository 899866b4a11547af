"""Work that was done before is answered from memory: as much of it as is the same, and only for whom it was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from streamapp.documents.claim import Blobs
from streamapp.identity import Run
from streamapp.jobs import janitor as module
from streamapp.jobs.janitor import Janitor
from streamapp.jobs.lifetimes import Lifetimes
from streamapp.jobs.memory import chunk_digest, content_hash, work_hash
from streamapp.jobs.taskwork import Begun
from streamapp.models import ChunkResult
from streamapp.settings import DAY_S, Settings
from streamapp.store import memory, reports
from streamapp.store.chunks import begin_step
from streamapp.store.database import Database
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.upkeep import remembered
from streamapp.tasks.contract import Plot, Predictor, Report
from streamapp.tasks.echo import Echo, EchoPredictor, EchoStep
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.summarize import Summarize
from tests.unit.jobs.test_way import Way, message, status
from tests.unit.store.rows import put, reserved, row_of, rows_of
from tests.unit.store.test_memory import known_chunks

WEEK_S = 7 * DAY_S
REPORT = Report(subject="Done", text="All of it.", plot=Plot(png=b"png", alt="A plot"))


class Reader(EchoPredictor):
    """One that is remembered, and reads the document."""

    remember: ClassVar[bool] = True


class ReaderStep(EchoStep):
    predictors = (Reader,)


class Reading(Echo):
    """A task that is remembered."""

    steps: ClassVar[Any] = (ReaderStep(),)


def way_of(database: Database, *outcomes: Any) -> Way:
    """A way that remembers."""
    return Way(database, *outcomes, memory_s=WEEK_S)


async def run_through(database: Database, way: Way, chunk_count: int = 3, **fields: Any) -> Run:
    """A job that is computed as far as it has to be, to its end."""
    begun = Begun(0, known_chunks(chunk_count))
    way.workshop.outcomes[:] = [begun, REPORT]
    run = reserved(database, **fields)
    before = len(way.publisher.rows)
    await way.planner.plan(message(run))
    while before < len(way.publisher.rows):
        before += 1
        await way.results(way.publisher.rows[before - 1 : before])
    return run


async def test_the_same_work_again_is_answered(database: Database) -> None:
    """I expect the report with its plot, both deliveries and no work at all, and the job to say since when."""
    way = way_of(database)
    first = await run_through(database, way, work_hash="work")
    assert (way.workshop.calls, len(way.publisher.rows)) == (2, 3)
    second = await run_through(database, way, work_hash="work", email="reader@example.org")
    assert (way.workshop.calls, len(way.publisher.rows)) == (2, 3)
    row, old = row_of(database, jobs, id=second.job), row_of(database, jobs, id=first.job)
    assert (row.status, row.done, row.total, row.remembered) == ("succeeded", 6, 6, 6)
    assert (row.remembered_at, old.remembered_at) == (old.finished_at, None)
    assert database.read_sync(reports.load, second) == database.read_sync(reports.load, first) == REPORT
    assert sorted(each.kind for each in way.publisher.due[1:]) == ["email", "notification"]
    third = await run_through(database, way, work_hash="work")
    assert row_of(database, jobs, id=third.job).remembered_at == old.finished_at


async def test_an_answer_is_given_once(database: Database) -> None:
    """I expect a message that comes twice, and a cancel that came first, to hold."""
    way = way_of(database)
    await run_through(database, way, work_hash="work")
    second = await run_through(database, way, work_hash="work", email="reader@example.org")
    await way.planner.plan(message(second))
    assert len(rows_of(database, deliveries, job=second.job)) == 2
    cancelled = reserved(database, work_hash="work")
    row = row_of(database, jobs, id=cancelled.job)
    assert await way.progress.cancel(cancelled)
    assert not await way.progress.answer(cancelled, row)
    assert status(database, cancelled) == "cancelled"
    assert rows_of(database, deliveries, job=cancelled.job) == []


@pytest.mark.parametrize(
    "other", [{"tenant": "berta"}, {"work_hash": "other"}, {"work_hash": None}], ids=["tenant", "work", "unknown"]
)
async def test_other_work_is_not_answered(database: Database, other: dict[str, Any]) -> None:
    """I expect another tenant, and other work, to get no report that is not theirs."""
    way = way_of(database)
    await run_through(database, way, work_hash="work")
    way.workshop.calls = 0
    run = await run_through(database, way, **{"work_hash": "work", **other})
    assert (way.workshop.calls, status(database, run)) == (2, "succeeded")


async def test_another_tenant_computes_the_same_chunks(database: Database) -> None:
    """I expect nothing of what was remembered for one to show with another."""
    way = way_of(database)
    await run_through(database, way)
    run = await run_through(database, way, tenant="berta")
    assert len(way.publisher.rows) == 6
    assert row_of(database, jobs, id=run.job).remembered_at is None


async def test_fresh_work_is_computed_and_remembered(database: Database) -> None:
    """I expect all of it to be computed though it is known, and to stand for the same work from then on."""
    way = way_of(database)
    await run_through(database, way, work_hash="work")
    before = row_of(database, remembered, digest="digest-0").made_at
    fresh = await run_through(database, way, work_hash="work", fresh=True)
    assert len(way.publisher.rows) == 6
    assert row_of(database, jobs, id=fresh.job).remembered == 0
    assert row_of(database, remembered, digest="digest-0").made_at > before
    third = await run_through(database, way, work_hash="work")
    row = row_of(database, jobs, id=third.job)
    assert row.remembered_at == row_of(database, jobs, id=fresh.job).finished_at


async def test_no_memory_no_answer(database: Database) -> None:
    """I expect a deployment without memory to compute all, though there is a report that would answer."""
    await run_through(database, way_of(database), work_hash="work")
    way = Way(database, REPORT)
    await run_through(database, way, work_hash="work")
    assert len(way.publisher.rows) == 3


async def test_all_chunks_known_need_no_message(database: Database) -> None:
    """I expect a job of other parameters with the same chunks to end without one chunk on its topic."""
    way = way_of(database)
    await run_through(database, way, work_hash="work")
    run = await run_through(database, way, work_hash="other parameters")
    assert len(way.publisher.rows) == 3
    row = row_of(database, jobs, id=run.job)
    assert (row.status, row.done, row.remembered) == ("succeeded", 6, 6)
    assert rows_of(database, chunks) == []


async def test_half_of_the_chunks_known(database: Database) -> None:
    """I expect the unknown ones alone to be published."""
    way = way_of(database)
    await run_through(database, way, chunk_count=3)
    run = await run_through(database, way, chunk_count=5)
    assert [row.chunk for row in way.publisher.rows] == [0, 1, 2, 3, 4]
    row = row_of(database, jobs, id=run.job)
    assert (row.status, row.remembered, row.total) == ("succeeded", 6, 10)


async def test_steps_that_are_known_follow_each_other(database: Database) -> None:
    """I expect a job of two steps, both known, to go through both of them and end."""
    way = way_of(database)
    await run_through(database, way)
    way.workshop.outcomes[:] = [Begun(0, known_chunks(3)), Begun(1, known_chunks(2)), REPORT]
    run = reserved(database)
    await way.planner.plan(message(run))
    assert status(database, run) == "succeeded"
    assert len(way.publisher.rows) == 3


async def test_a_crash_before_the_reduce_of_what_was_known(database: Database) -> None:
    """I expect the message that comes again to change nothing, and the sweep to end the job."""
    way = way_of(database)
    await run_through(database, way)
    run = reserved(database)
    begun = Begun(0, known_chunks(3))
    recalled = await way.progress._recalled(run, begun)
    await database.write(begin_step, run, None, 0, begun.chunks, recalled)
    await way.planner.plan(message(run))
    assert status(database, run) == "running"
    way.workshop.outcomes[:] = [REPORT]
    await way.sweeper.sweep(0.0)
    for task in list(way.sweeper._reducing):
        await task
    assert status(database, run) == "succeeded"
    assert len(way.publisher.rows) == 3


@pytest.mark.parametrize("wrong", [{"outcomes": [{"error": "no"}, {"out": {}}]}, {"version": "2"}])
async def test_what_is_wrong_is_not_remembered(database: Database, wrong: dict[str, Any]) -> None:
    """I expect a result with an error, or of another version, to be no answer: neither itself nor its report."""
    way = way_of(database, Begun(0, known_chunks(1)), REPORT)
    run = reserved(database, work_hash="work")
    await way.planner.plan(message(run))
    fields = {"version": "1", "outcomes": [{"out": {}}, {"out": {}}], **wrong}
    await way.collector.collect(
        ChunkResult(run.tenant, run.job, run.run, 0, 0, "model", worker="w", seconds=0.1, **fields)
    )
    assert status(database, run) == "succeeded"
    await run_through(database, way, chunk_count=1, work_hash="work")
    assert len(way.publisher.rows) == 2


def test_what_a_report_depends_on() -> None:
    """I expect another task, version, parameters, document, media type or predictor's version to be other work."""

    def changed(task: Any = Reading, **values: Any) -> Any:
        return type("Changed", (task,), values)

    newer = type("Newer", (Reader,), {"version": "2"})
    others = [
        (changed(version="2")(), "{}", b"a", "text/plain"),
        (changed(name="other")(), "{}", b"a", "text/plain"),
        (changed(steps=(changed(ReaderStep, predictors=(newer,))(),))(), "{}", b"a", "text/plain"),
        (Reading(), '{"chunk": 2}', b"a", "text/plain"),
        (Reading(), "{}", b"b", "text/plain"),
        (Reading(), "{}", b"a", "text/markdown"),
    ]
    same = work_hash(Reading(), "{}", b"a", "text/plain")
    assert same == work_hash(Reading(), "{}", b"a", "text/plain")
    assert len({same, *(work_hash(*other) for other in others)}) == 7
    assert work_hash(changed(remember=False)(), "{}", b"a", "text/plain") is None
    assert work_hash(Echo(), "{}", b"a", "text/plain") is None


def test_what_a_chunk_depends_on() -> None:
    """I expect the document to count where the predictor reads it, and the predictor and its items always."""
    newer: type[Predictor[Any, Any, Any]] = type("Newer", (Reader,), {"version": "2"})
    one = chunk_digest(Reader, b"[1]", "document")
    others = [chunk_digest(Reader, b"[2]", "document"), chunk_digest(Reader, b"[1]", "other")]
    assert len({one, *others, chunk_digest(newer, b"[1]", "document")}) == 4
    assert chunk_digest(Reader, b"[1]", None) is None
    assert chunk_digest(EchoPredictor, b"[1]", "document") is None
    assert chunk_digest(MiniLM, b"[1]", None) == chunk_digest(MiniLM, b"[1]", "document") is not None


def test_the_document_is_hashed_where_it_counts() -> None:
    """I expect a task whose predictors read no document to carry no hash of one."""
    assert content_hash(Summarize(), b"a", "text/plain") is None
    assert content_hash(Echo(), b"a", "text/plain") is None
    given = {content_hash(Reading(), content, kind) for content in (b"a", b"b") for kind in ("text/plain", "text/x")}
    assert len(given) == 4


async def test_the_janitor_keeps_the_memory_small(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect each tenant to be brought below its share, also in more transactions than one, and no further."""
    monkeypatch.setattr(module, "ROWS", 2)
    for number in range(7):
        for tenant in ("anna", "berta"):
            if tenant == "anna" or number < 2:
                database.write_sync(memory.enter, tenant, f"{number}", "model", b"x" * (400_000 - memory.OVERHEAD))
    lifetimes = Lifetimes.of(Settings(home=tmp_path))
    await Janitor(database, Blobs((tmp_path / "blobs").as_uri()), lifetimes, 1 << 20).tidy()
    assert database.read_sync(memory.sizes) == {"anna": 800_000, "berta": 800_000}
    assert [row.digest for row in rows_of(database, remembered, tenant="anna")] == ["5", "6"]


@pytest.mark.parametrize(("fields", "left"), [({}, 1), ({"memory_mb": 0}, 0), ({"memory_days": 0.5}, 0)])
async def test_the_janitor_keeps_the_memory_young(
    database: Database, tmp_path: Path, fields: dict[str, Any], left: int
) -> None:
    """I expect a result of yesterday to stay for its days, and none where nothing is to be remembered."""
    database.write_sync(memory.enter, "anna", "one", "model", b"[]")
    put(database, remembered, {}, made_at=clock() - DAY_S)
    settings = Settings(home=tmp_path, **fields)
    janitor = Janitor(database, Blobs((tmp_path / "blobs").as_uri()), Lifetimes.of(settings), settings.memory_mb << 20)
    await janitor.tidy()
    assert len(rows_of(database, remembered)) == left
