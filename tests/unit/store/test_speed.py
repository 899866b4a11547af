"""What an estimate goes by: how fast the models are lately, and what came after jobs' last results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamapp.models import WorkerBeat
from streamapp.store import rests, speed, workers
from streamapp.store.database import Database
from streamapp.store.habits import habits
from streamapp.store.schema import jobs
from streamapp.store.turns import turns_s
from tests.unit.store.rows import put, reserved, row_of, running


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    """Nothing was seen before, and nothing is left for other tests."""
    rests.forget()
    speed.forget()
    yield
    rests.forget()
    speed.forget()


def beat(database: Database, items: int, busy_s: float, worker: str = "w") -> float | None:
    """A worker says what it did, and somebody looks."""
    said = WorkerBeat(worker, "h", 1, "cpu", ["model"], items, items, busy_s)
    database.write_sync(workers.heard, said)
    return database.read_sync(speed.items_a_second)


def test_the_speed_is_that_of_lately(database: Database) -> None:
    """I expect a worker that has become slower to be taken for slow, once there is enough to go by."""
    assert database.read_sync(speed.items_a_second) is None
    assert beat(database, 1000, 10.0) == pytest.approx(100.0)
    assert beat(database, 1010, 11.0) == pytest.approx(1010 / 11.0), "a second says little"
    assert beat(database, 1020, 12.0) == pytest.approx(10.0)
    assert beat(database, 1040, 60.0) == pytest.approx(20 / 48), "what is older does not count"
    assert beat(database, 300, 1.0) == pytest.approx(300.0), "another one of that name"
    assert beat(database, 600, 2.0, "second") == pytest.approx(600.0)


def test_what_comes_after_the_last_result(database: Database) -> None:
    """I expect what was measured for documents alike, and where nothing was, the least that the rows allow."""
    run = reserved(database, size=100)
    put(database, jobs, {"id": run.job}, status="succeeded", total=8, created_at=0.0, started_at=1.0, finished_at=4.0)
    known = database.read_sync(habits, ["anna"])
    assert known["echo"].of(100, 8.0).rest_s == pytest.approx(2.0)
    for size, seconds in ((100, 0.1), (120, 0.2), (90, 0.3), (100_000, 5.0)):
        rests.note("echo", size, seconds)
    assert known["echo"].of(100, 8.0).rest_s == pytest.approx(0.2)
    assert known["echo"].of(50_000, 8.0).rest_s == pytest.approx(5.0)
    assert rests.usual("echo", 2000) == pytest.approx(0.25), "none is alike"
    assert rests.usual("summarize", 100) is None


def test_newcomers_turns(database: Database) -> None:
    """I expect a tenant's newcomers at every other of its credits, by whose turn it is, and others' credits between."""
    old = running(database, tenant="anna")
    first, second = (running(database, tenant="anna") for _ in range(2))
    other = running(database, tenant="ben")
    put(database, jobs, {"id": old.job}, done=1)

    def turns(turn: int, anna: float, ben: float) -> list[float]:
        rows = [row_of(database, jobs, id=run.job) for run in (old, first, second, other)]
        given = [_Row(row, turn, ben if row.tenant == "ben" else anna) for row in rows]
        found = turns_s(given, (), 1.0)  # type: ignore[arg-type]  # it looks like one
        return [found[("anna", run.job, 1)] for run in (first, second)]

    assert turns(0, 5.0, 5.0) == [0.0, 4.0]
    assert turns(1, 5.0, 5.0) == [2.0, 6.0]
    assert turns(0, 6.0, 5.0) == [1.0, 5.0], "ben has had one less"
    assert turns(0, 50.0, 5.0) == [1.0, 5.0], "nobody is further ahead than by a credit"


class _Row:
    """A job's row with its tenant's."""

    def __init__(self, row: object, turn: int, served: float) -> None:
        self._row = row
        self.turn, self.tenant_served, self.weight = turn, served, 1.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._row, name)
