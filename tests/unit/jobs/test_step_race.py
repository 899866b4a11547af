"""A plan or a reduce that took so long that another did it meanwhile: its failure is no news about the job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from streamapp.errors import TaskFailed
from streamapp.identity import Run
from streamapp.jobs.taskwork import Begun
from streamapp.store.database import Database
from streamapp.store.schema import deliveries, jobs
from tests.unit.jobs.test_way import Way, message
from tests.unit.store.rows import reserved, row_of, rows_of, some_chunks


async def _plan(way: Way, run: Run) -> None:
    await way.planner.plan(message(run))


async def _reduce(way: Way, run: Run) -> None:
    await way.progress.take(run, None, Begun(0, some_chunks(1)))
    await way.results(way.publisher.rows)


@pytest.mark.parametrize(("work", "before"), [(_plan, None), (_reduce, 0)])
async def test_a_stale_failure_ends_nothing(
    database: Database, work: Callable[[Way, Run], Coroutine[None, None, None]], before: int | None
) -> None:
    """I expect the job to stay where another worker has brought it meanwhile, and nobody to be told of a failure."""
    way = Way(database, TaskFailed("its process was killed"))
    run = reserved(database, email="reader@example.org")
    way.workshop.gate.clear()
    stale = asyncio.create_task(work(way, run))
    async with asyncio.timeout(10):
        while not way.workshop.calls:
            await asyncio.sleep(0.001)
    step = 0 if before is None else before + 1
    await way.progress.take(run, before, Begun(step, some_chunks(2)))
    way.workshop.gate.set()
    await stale
    row = row_of(database, jobs, id=run.job)
    assert (row.status, row.step) == ("running", step)
    assert rows_of(database, deliveries) == []
    assert way.publisher.due == []
