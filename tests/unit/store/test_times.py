"""A clock that was set back an hour keeps nothing waiting for an hour."""

from __future__ import annotations

import pytest
from sqlalchemy import literal, select

from streamapp.models import WorkerBeat
from streamapp.store import outbox, pressure, workers
from streamapp.store.chunks import complete_steps
from streamapp.store.database import Database
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.times import elapsed, within
from streamapp.store.upkeep import workers as worker_rows
from tests.unit.store.rows import fly, land, put, reserved, running

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("ago_s", "expected"),
    [(11.0, True), (9.0, False), (0.0, False), (-2.0, False), (-HOUR_S, True)],
)
def test_long_ago(database: Database, ago_s: float, expected: bool) -> None:
    """I expect more than ten seconds ago, or an hour ahead; `within` is the other way round."""
    moment = clock() - literal(ago_s)
    assert bool(database.read_sync(lambda c: c.execute(select(elapsed(moment, 10.0))).scalar_one())) is expected
    assert bool(database.read_sync(lambda c: c.execute(select(within(moment, 10.0))).scalar_one())) is not expected


def test_what_a_crash_left_ahead_of_the_clock_is_found(database: Database) -> None:
    """I expect an unpublished job, an unpublished chunk and a complete step, all ahead, to be found."""
    left = reserved(database)
    put(database, jobs, {"id": left.job}, created_at=clock() + HOUR_S)
    assert [row.id for row in database.read_sync(outbox.unpublished_jobs, 5.0, 10)] == [left.job]
    flying = running(database, chunks=1)
    fly(database, 1)
    put(database, chunks, {"job": flying.job}, flying_at=clock() + HOUR_S)
    assert len(database.read_sync(outbox.unpublished_chunks, 5.0, 10)) == 1
    complete = running(database, chunks=1)
    land(database, fly(database, 2))
    put(database, chunks, {"job": complete.job}, stored_at=clock() + HOUR_S)
    assert [row.id for row in database.read_sync(complete_steps, 5.0, 10)] == [complete.job]


def test_a_dead_model_worker_does_not_live_on_for_an_hour(database: Database) -> None:
    """I expect one that was heard of an hour ahead to be gone until its next beat."""
    database.write_sync(workers.heard, WorkerBeat("w", "host", 1, "cpu", ["model"], 1, 1, 0.5))
    put(database, worker_rows, {"id": "w"}, seen_at=clock() + HOUR_S)
    assert database.read_sync(workers.count) == 0
    assert database.read_sync(workers.alive) == []
    database.write_sync(workers.heard, WorkerBeat("w", "host", 1, "cpu", ["model"], 1, 1, 0.5))
    assert database.read_sync(workers.count) == 1


def test_the_oldest_work_that_waits(database: Database) -> None:
    """I expect the age of the oldest open message, whatever its kind, and 0 when none is or all are of the future."""
    assert database.read_sync(pressure.oldest_s) == 0.0
    run = running(database, chunks=1)
    fly(database, 1)
    put(database, chunks, {"job": run.job}, published_at=clock() - 50.0)
    assert database.read_sync(pressure.oldest_s) == pytest.approx(50.0, abs=5)
    queued = reserved(database)
    put(database, jobs, {"id": queued.job}, published_at=clock() - 100.0)
    assert database.read_sync(pressure.oldest_s) == pytest.approx(100.0, abs=5)
    put(database, jobs, {"id": queued.job}, published_at=clock() + 100.0)
    put(database, chunks, {"job": run.job}, published_at=clock() + 100.0)
    assert database.read_sync(pressure.oldest_s) == 0.0
