"""Position and time left, beside what then came to be: a simulation by the real statements on a simulated clock."""

from __future__ import annotations

import heapq
import itertools
import random
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from streamapp.identity import Run
from streamapp.inference.batch import Pending, Turns
from streamapp.jobs.windows import CREDITS_PER_WORKER
from streamapp.models import WorkerBeat
from streamapp.store import forecast as module
from streamapp.store import jobs as job_rows
from streamapp.store import rests, speed, workers
from streamapp.store.chunks import begin_step
from streamapp.store.database import Database
from streamapp.store.estimate import Load, estimate
from streamapp.store.forecast import forecast
from streamapp.store.newchunk import NewChunk
from streamapp.store.schema import jobs, tenants
from streamapp.store.turns import Key
from tests.unit.store.rows import fly, land, put, reserved, row_of, running, some_chunks

EPOCH = 2440587.5
START = 1_700_000_000.0
RATE = 300.0  # items a second
BEAT_S = 2.0
BATCH = 64  # items
TRIP_S = 0.01  # over Kafka
SEEDS = range(1, 6)  # of as many worlds: the books of a single one are too few to go by


class World:
    """One model worker, planning and reducing that take their time, and jobs that come as they are told to."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.numbers = random.Random(seed)
        self.now = START
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order, self.names = itertools.count(), itertools.count()
        self.waiting: list[Pending] = []
        self.left: Counter[Any] = Counter()  # items of each chunk
        self.busy, self.turns = False, Turns()
        self.items, self.seconds = 0, 0.0
        self.cost: dict[str, float] = {}
        self.lives: dict[str, tuple[str, float, float]] = {}

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Let that happen then."""
        heapq.heappush(self.events, (moment, next(self.order), what))

    def run(self) -> None:
        """Until nothing happens any more."""
        while self.events:
            self.now, _, what = heapq.heappop(self.events)
            what()

    def come(self, kind: str, tenant: str, items: int, priority: int = 0) -> None:
        """A job of so many items, ten bytes each; some documents' items cost more than others'."""
        identity = f"{kind}-{next(self.names)}"
        run = reserved(self.database, tenant, id=identity, size=items * 10, priority=priority)
        self.cost[run.job] = self.numbers.uniform(0.75, 1.25)
        self.lives[run.job] = (kind, self.now, 0.0)
        self.at(self.now + 0.02 + items / 4000, lambda: self.plan(run, items))

    def plan(self, run: Run, items: int) -> None:
        """Its chunks are there."""
        sizes = [min(64, items - at) for at in range(0, items, 64)]
        new = [NewChunk("model", number, size, b"[]") for number, size in enumerate(sizes)]
        assert self.database.write_sync(begin_step, run, None, 0, new)
        self.top_up()

    def top_up(self) -> None:
        """Free credits are given, and chunks are on their way."""
        if rows := fly(self.database, CREDITS_PER_WORKER, full=BATCH):
            self.at(self.now + TRIP_S, lambda: self.arrived(rows))

    def arrived(self, rows: list[Any]) -> None:
        """Chunks are at the model worker."""
        for row in rows:
            self.left[row] = row.size
            self.waiting += [Pending(None, 1, row, place, row.size) for place in range(row.size)]
        if not self.busy:
            self.compute()

    def compute(self) -> None:
        """The next batch, chosen as the engine does."""
        self.busy = bool(self.waiting)
        batch = self.turns.next(self.waiting, BATCH)
        chosen = set(map(id, batch))
        self.waiting = [entry for entry in self.waiting if id(entry) not in chosen]
        if batch:
            seconds = 0.01 + sum(self.cost[entry.chunk.job] for entry in batch) / RATE
            self.at(self.now + seconds, lambda: self.computed(batch, seconds))

    def computed(self, batch: list[Pending], seconds: float) -> None:
        """A batch is computed, and the chunks that it completes are on their way back."""
        self.items, self.seconds = self.items + len(batch), self.seconds + seconds
        self.left.subtract(entry.chunk for entry in batch)
        back = [row for row in dict.fromkeys(entry.chunk for entry in batch) if not self.left[row]]
        self.at(self.now + TRIP_S, lambda: self.back(back))
        self.compute()

    def back(self, back: list[Any]) -> None:
        """Results are stored."""
        land(self.database, back)
        for run in sorted({Run(row.tenant, row.job, row.run) for row in back}, key=lambda run: run.job):
            row = self.database.read_sync(job_rows.get, run)
            assert row is not None
            if not row.unfinished:
                rest_s = 0.05 + row.total / 5000
                self.at(self.now + rest_s, lambda run=run, row=row, rest_s=rest_s: self.end(run, row, rest_s))  # type: ignore[misc]
        self.top_up()

    def end(self, run: Run, row: Any, rest_s: float) -> None:
        """It is reduced, and how long that took is noted as the collector notes it."""
        rests.note(row.task, row.size, rest_s)
        assert self.database.write_sync(job_rows.end, run, "succeeded")
        kind, began, _ = self.lives[run.job]
        self.lives[run.job] = (kind, began, self.now)

    def beat(self, until: float) -> None:
        """The model worker says what it did so far."""
        said = WorkerBeat("w", "h", 1, "cpu", ["model"], self.items, self.items // 64, self.seconds)
        self.database.write_sync(workers.heard, said)
        if self.now < until:
            self.at(self.now + BEAT_S, lambda: self.beat(until))


@contextmanager
def world(migrated: Path, folder: Path, seed: int) -> Iterator[World]:
    """A world of its own, whose database tells its time, in a process that has seen nothing before."""
    rests.forget()
    speed.forget()
    folder.mkdir()
    database = Database(f"sqlite:///{shutil.copy(migrated, folder / 'store.db')}")
    made = World(database, seed)

    def told(connection: sqlite3.Connection, _: Any) -> None:
        connection.create_function("julianday", 1, lambda _: made.now / 86400 + EPOCH)
        connection.execute("PRAGMA synchronous=OFF").close()

    event.listen(database._writing, "connect", told)
    event.listen(database._reading, "connect", told)
    yield made
    database.close()


def mixed_load(made: World) -> None:
    """First some to learn from; then books of several tenants, and short and middling jobs all the while."""
    made.at(START, lambda: made.beat(START + 150))
    for kind, items in (("short", 8), ("middling", 320), ("book", 2000)):
        made.at(START + 0.5, lambda kind=kind, items=items: made.come(f"first-{kind}", "anna", items))  # type: ignore[misc]
    for moment, tenant, items, priority in (
        (20, "anna", 3000, 0),
        (20.1, "anna", 4500, 0),
        (20.2, "anna", 2500, 1),
        (22, "ben", 5000, 0),
        (30, "ben", 2000, 0),
        (40, "carl", 3500, 0),
    ):
        made.at(
            START + moment,
            lambda tenant=tenant, items=items, priority=priority: made.come("book", tenant, items, priority),  # type: ignore[misc]
        )
    made.at(START + 22.01, lambda: put(made.database, tenants, {"tenant": "ben"}, weight=2.0))
    for second in range(50):
        moment = START + 20 + second + made.numbers.random()
        made.at(moment, lambda: made.come("short", "dora", made.numbers.randint(3, 20)))
        if second % 6 == 0:
            made.at(moment, lambda: made.come("middling", "emil", made.numbers.randint(150, 500)))


def ratios(migrated: Path, folder: Path, seed: int) -> dict[str, list[float | None]]:
    """Estimated over real seconds left, at 10, 50 and 90 % of each job's life, by kind of job."""
    folder.mkdir()
    with world(migrated, folder / "first", seed) as made:
        mixed_load(made)
        made.run()
        lives = made.lives
    found: dict[str, list[float | None]] = defaultdict(list)

    def sample(made: World, job: str, kind: str, left: float) -> None:
        known = {key[1]: each for key, each in made.database.read_sync(forecast).items()}
        eta_s = known[job].eta_s
        found[kind].append(None if eta_s is None else eta_s / left)

    with world(migrated, folder / "second", seed) as made:
        mixed_load(made)
        for job, (kind, began, ended) in lives.items():
            for part in (0.1, 0.5, 0.9):
                if not kind.startswith("first"):
                    moment = began + part * (ended - began)
                    made.at(
                        moment,
                        lambda job=job, kind=kind, left=ended - moment: sample(made, job, kind, left),  # type: ignore[misc]
                    )
        made.run()
        assert {job: life[1:] for job, life in made.lives.items()} == {job: life[1:] for job, life in lives.items()}
    return found


def test_the_estimate_under_mixed_load(migrated: Path, tmp_path: Path) -> None:
    """I expect nine of ten estimates within a factor of two, of all jobs and of each kind by itself."""
    right: dict[str, list[bool]] = defaultdict(list)
    for seed in SEEDS:
        for kind, found in ratios(migrated, tmp_path / str(seed), seed).items():
            right[kind] += [ratio is not None and 0.5 <= ratio <= 2 for ratio in found]
    parts = {kind: sum(each) / len(each) for kind, each in right.items()}
    assert min(parts.values()) >= 0.9, parts


def test_the_queue_s_positions(database: Database) -> None:
    """I expect the places of those that really start before: what is held for its own tenant is before nobody else."""
    seen = {name: running(database, tenant=name) for name in ("anna", "ben")}
    put(database, tenants, {"tenant": "anna"}, running=1)
    held = [reserved(database, "anna", id=f"held-{number}") for number in range(3)]
    free = [reserved(database, "ben", id=f"free-{number}") for number in range(2)]
    known = database.read_sync(forecast)
    places = {key[1]: each.position for key, each in known.items()}
    assert [places[run.job] for run in free] == [1, 2]
    assert [places[run.job] for run in held] == [3, 4, 5]
    assert [places[run.job] for run in seen.values()] == [None, None]
    assert all(each.eta_s is None for each in known.values()), "no model worker has said how fast it is"


def test_nothing_is_said_of_a_task_that_nobody_has_seen(database: Database) -> None:
    """I expect the pace of other tasks' items to say nothing of this one's, until some of them are done."""
    for seconds in (1, 2):
        said = WorkerBeat("w", "h", 1, "cpu", ["model"], 100 * seconds, seconds, float(seconds))
        database.write_sync(workers.heard, said)
    run = running(database)
    chunks = fly(database, 3)
    assert database.read_sync(forecast)[run.tenant, run.job, run.run].eta_s is None
    land(database, chunks[:1])
    assert database.read_sync(forecast)[run.tenant, run.job, run.run].eta_s is not None


def test_an_outlook_is_shared_and_not_stale(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect many who ask to cost one look at the rows, and a job that has begun since to be seen."""
    looks: list[int] = []
    real = module.forecast

    def counted(connection: Connection, room: int = 0) -> dict[Key, module.Outlook]:
        looks.append(room)
        return real(connection, room)

    monkeypatch.setattr(module, "forecast", counted)
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    monkeypatch.setattr(module, "COSTS", 0)
    runs = [reserved(database) for _ in range(3)]
    rows = [row_of(database, jobs, id=run.job) for run in runs]
    assert [database.read_sync(module.outlook, row).position for row in rows] == [1, 2, 3]
    assert len(looks) == 1
    assert database.write_sync(begin_step, runs[0], None, 0, some_chunks(1))
    assert database.read_sync(module.outlook, row_of(database, jobs, id=runs[0].job)).position is None
    assert len(looks) == 2
    database.write_sync(job_rows.end, runs[1], "cancelled")
    ended = row_of(database, jobs, id=runs[1].job)
    assert database.read_sync(module.outlook, ended) == module.Outlook(None, None)
    assert len(looks) == 2


def test_an_outlook_that_is_kept_grows_older(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect seconds left that were found a while ago to be fewer by that while, and never none at all."""
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    run = running(database)
    key = (run.tenant, run.job, run.run)
    monkeypatch.setattr(module, "forecast", lambda connection, room: {key: module.Outlook(None, 9.0)})
    row, now = row_of(database, jobs, id=run.job), 1000.0
    monkeypatch.setattr("streamapp.store.forecast.time", SimpleNamespace(monotonic=lambda: now))
    said = []
    for now in (1000.0, 1002.5, 1008.0, 1050.0):  # noqa: B007 - the clock reads it
        said.append(database.read_sync(module.outlook, row).eta_s)
    assert said == [9.0, 6.5, 1.0, module.SHORTEST_S]


LOADS = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(0, 1e4), st.sampled_from((0.125, 1.0, 8.0)), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(given=LOADS, rate=st.floats(0.1, 1e4))
def test_the_fluid_loses_nothing(given: list[tuple[str, float, float, bool]], rate: float) -> None:
    """I expect the last to end when all items are through, everybody after its own work, and held ones in order."""
    loads = [
        Load(number, tenant, items, weight, 2.0 if tenant == "a" else 1.0, held)
        for number, (tenant, items, weight, held) in enumerate(given)
    ]
    spans = estimate(loads, rate)
    whole = sum(load.items for load in loads) / rate
    assert max(span.end_s for span in spans.values()) == pytest.approx(whole, abs=1e-6)
    for load in loads:
        span = spans[load.key]
        assert span.end_s >= load.items / rate * (1 - 1e-9) - 1e-9
        assert span.end_s >= span.start_s >= 0.0
    for tenant in "abc":
        starts = [spans[load.key].start_s for load in loads if load.tenant == tenant and load.held]
        assert starts == sorted(starts)


def test_shares_in_the_fluid() -> None:
    """I expect the weights of tenants first, and of jobs within them: worked out by hand."""
    loads = [Load("x", "a", 100), Load("y", "a", 300, weight=3.0), Load("z", "b", 600), Load("h", "b", 100, held=True)]
    spans = estimate(loads, 10.0)
    assert {key: span.end_s for key, span in spans.items()} == pytest.approx(
        {"x": 80.0, "y": 80.0, "z": 100.0, "h": 110.0}
    )
    assert spans["h"].start_s == pytest.approx(100.0)
