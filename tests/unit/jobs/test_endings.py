"""Those who wait for a job's end hear of it, whoever ends it, and nobody is waited for who went away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import endings as module
from streamapp.jobs.endings import Endings
from streamapp.store import jobs
from streamapp.store.database import Database
from streamapp.store.jobs import active_of
from streamapp.store.schema import jobs as rows
from tests.unit.store.rows import put, reserved, running

LONG_S = 60.0  # no test waits for it
SOON_S = 0.02


@asynccontextmanager
async def looking(endings: Endings) -> AsyncIterator[None]:
    """With the store looked at, as beside a worker."""
    task = asyncio.create_task(endings.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def begun(endings: Endings, *waits: Any) -> list[asyncio.Task[bool]]:
    """These waits, once all of them wait."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.sleep(0)
    assert sum(len(waiters) for waiters in endings._waiting.values()) == len(waits)
    return tasks


async def test_an_end_in_this_worker_is_a_signal(database: Database) -> None:
    """I expect all who wait for that run to hear of it without any look at the store, and nobody else."""
    endings, run, other = Endings(database), reserved(database), reserved(database)
    first, second, third = await begun(
        endings, endings.wait(run, LONG_S), endings.wait(run, LONG_S), endings.wait(other, LONG_S)
    )
    endings.ended(run)
    assert await first
    assert await second
    assert not third.done()
    endings.ended(other)
    assert await third
    assert endings._waiting == {}


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "expired"])
async def test_an_end_elsewhere_is_found(database: Database, status: str) -> None:
    """I expect what another worker wrote to be seen without a signal, for those that ended and no others."""
    endings, run, other = Endings(database, SOON_S), running(database), running(database)
    async with looking(endings):
        mine, others = await begun(endings, endings.wait(run, LONG_S), endings.wait(other, LONG_S))
        await database.write(jobs.end, run, status)
        assert await mine
        assert not others.done()
        endings.ended(other)
        assert await others


async def test_a_job_that_is_gone_or_runs_again_is_not_waited_for(database: Database) -> None:
    """I expect a run that another has followed to be over."""
    endings, run = Endings(database, SOON_S), reserved(database)
    async with looking(endings):
        (mine,) = await begun(endings, endings.wait(run, LONG_S))
        put(database, rows, {"id": run.job}, run=2)
        assert await mine


async def test_one_query_for_all_and_none_for_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a look to ask for all who wait at once, and no look at all after the last of them has left."""
    asked: list[int] = []

    def counting(connection: Connection, runs: Collection[Run]) -> set[Run]:
        asked.append(len(runs))
        return active_of(connection, runs)

    monkeypatch.setattr(module, "active_of", counting)
    endings, runs = Endings(database, 0.0), [reserved(database) for _ in range(700)]
    async with looking(endings):
        waits = await begun(endings, *(endings.wait(run, LONG_S) for run in runs))
        async with asyncio.timeout(30):
            while len(asked) < 2:
                await asyncio.sleep(0.001)
        assert set(asked) == {700}
        for run in runs:
            endings.ended(run)
        assert all(await asyncio.gather(*waits))
        async with asyncio.timeout(30):
            while endings._somebody.is_set():
                await asyncio.sleep(0.001)
        before = len(asked)
        await asyncio.sleep(0.05)
        assert len(asked) == before


async def test_the_time_is_bounded(database: Database) -> None:
    """I expect False when the job had not ended by then, and nothing to be left of the wait."""
    endings = Endings(database)
    assert not await endings.wait(reserved(database), 0.01)
    assert endings._waiting == {}


async def test_who_went_away_is_let_go(database: Database) -> None:
    """I expect the wait to end with the connection, and not to be asked for any more."""
    endings, gone = Endings(database, SOON_S), asyncio.Event()
    async with looking(endings):
        (mine,) = await begun(endings, endings.wait(reserved(database), LONG_S, gone.is_set))
        gone.set()
        assert not await mine
        assert endings._waiting == {}


async def test_a_worker_that_stops_keeps_nobody(database: Database) -> None:
    """I expect who waits to be answered at once, and who comes then not to wait."""
    endings = Endings(database)
    async with looking(endings):
        (mine,) = await begun(endings, endings.wait(reserved(database), LONG_S))
    assert not await mine
    assert not await endings.wait(reserved(database), LONG_S)


async def test_a_store_that_is_away_ends_no_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the next look to find what this one could not."""
    failures = [StoreUnavailable("away")]

    def failing(connection: Connection, runs: Collection[Run]) -> set[Run]:
        if failures:
            raise failures.pop()
        return active_of(connection, runs)

    monkeypatch.setattr(module, "active_of", failing)
    endings, run = Endings(database, SOON_S), reserved(database)
    async with looking(endings):
        (mine,) = await begun(endings, endings.wait(run, LONG_S))
        await database.write(jobs.end, run, "cancelled")
        assert await mine
    assert failures == []
