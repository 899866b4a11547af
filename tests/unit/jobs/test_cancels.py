"""Who is told that a run has ended, and what becomes of work that was dropped for its deadline."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from faust.types import TopicT

from streamapp.errors import BrokerUnavailable
from streamapp.identity import Run
from streamapp.jobs import cancels as module
from streamapp.jobs.cancels import Cancels
from streamapp.jobs.taskwork import Begun
from streamapp.models import Cancel, ChunkResult
from streamapp.store.database import Database
from streamapp.store.schema import jobs
from tests.unit.jobs.test_way import REPORT, Way, message, rows_flying, status
from tests.unit.store.rows import put, reserved, running, some_chunks


def told(way: Way) -> list[Run]:
    """The runs that model workers hear of."""
    heard: list[Run] = []
    way.progress._tell = heard.append
    return heard


async def test_an_end_before_its_time_is_told_once(database: Database) -> None:
    """I expect a cancel, a failure and a passed deadline to be told, and a run that had ended already not to be."""
    way = Way(database, REPORT)
    heard = told(way)
    cancelled, failed, expired = (running(database) for _ in range(3))
    for _ in range(2):
        await way.progress.cancel(cancelled)
        await way.progress.fail(failed, "it took too long")
        await way.progress.expire(expired)
    assert heard == [cancelled, failed, expired]
    assert [status(database, run) for run in heard] == ["cancelled", "failed", "expired"]


async def test_a_success_is_not_told(database: Database) -> None:
    """I expect nobody to be told of a job whose chunks are all done."""
    way = Way(database, Begun(0, some_chunks(2)), REPORT)
    heard = told(way)
    run = reserved(database)
    await way.planner.plan(message(run))
    await way.results(way.publisher.rows)
    assert status(database, run) == "succeeded"
    assert heard == []


async def test_what_was_dropped_for_its_deadline_ends_as_expired(database: Database) -> None:
    """I expect a job whose last results say that it was too late to expire, and no report to be made of the rest."""
    way = Way(database, Begun(0, some_chunks(1)), REPORT)
    run = reserved(database, deadline=4e9)
    await way.planner.plan(message(run))
    put(database, jobs, {"id": run.job}, deadline=1.0)
    calls = way.workshop.calls
    (row,) = rows_flying(database)
    errors: list[dict[str, Any]] = [{"error": "the deadline passed"}] * row.size
    await way.collector.collect(ChunkResult(run.tenant, run.job, 1, 0, 0, "model", "1", "w", 0.001, errors))
    assert status(database, run) == "expired"
    assert way.workshop.calls == calls


async def test_what_was_dropped_says_nothing_of_the_speed(database: Database) -> None:
    """I expect chunks that come back without an outcome to let no more fly."""
    way = Way(database, Begun(0, some_chunks(20)))
    await way.planner.plan(message(reserved(database)))
    before = way.progress.windows.small("model", 1)
    for row in rows_flying(database):
        errors: list[dict[str, Any]] = [{"error": "dropped"}] * row.size
        await way.collector.collect(ChunkResult(row.tenant, row.job, 1, 0, row.chunk, "model", "1", "w", 0.001, errors))
    assert way.progress.windows.small("model", 1) == before


async def test_telling_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the teller to go on at once, those of a moment to be sent together, and a broker away to harm nobody."""
    sent: list[list[Cancel]] = []
    gate = asyncio.Event()

    async def send(_: TopicT, records: list[Cancel]) -> None:
        sent.append(records)
        await gate.wait()
        if len(sent) == 2:
            raise BrokerUnavailable("it is away")

    monkeypatch.setattr(module, "send_acked", send)
    cancels = Cancels(cast(TopicT, None))
    runs = [Run("anna", f"job-{number}", 1) for number in range(4)]
    cancels.tell(runs[0])
    await asyncio.sleep(0.01)
    for run in runs[1:]:
        cancels.tell(run)
    gate.set()
    async with asyncio.timeout(5):
        while cancels._sending:
            await asyncio.sleep(0.001)
    assert [[record.job_id for record in records] for records in sent] == [["job-0"], ["job-1", "job-2", "job-3"]]
