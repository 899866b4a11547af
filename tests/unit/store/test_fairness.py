"""Fairness, whatever happens in whatever order: credits are neither lost nor made, and nobody starves."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from streamapp.identity import Run
from streamapp.jobs.windows import CREDITS_PER_WORKER
from streamapp.store import jobs as job_rows
from streamapp.store.chunks import begin_step
from streamapp.store.credits import weight_of
from streamapp.store.database import Database
from streamapp.store.schema import chunks, jobs, tenants
from streamapp.store.sql import AnyRow
from tests.unit.store.rows import fly, land, put, reserved, row_of, rows_of, running, some_chunks

TENANTS = ("anna", "ben", "carl")
PREDICTORS = ("model", "other")


def named(row: AnyRow) -> Run:
    """The run that a chunk's row is of."""
    return Run(row.tenant, row.job, row.run)


class Credits(RuleBasedStateMachine):
    """Jobs come, fly, land, go on to a next step and end; workers come, go and die; weights change; some are late."""

    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.database = Database(f"sqlite:///{shutil.copy(self.migrated, self.folder)}")
        self.lanes = 1
        self.flying: dict[str, list[AnyRow]] = {name: [] for name in PREDICTORS}
        self.gone: list[AnyRow] = []  # landed, or of a run that has ended; whoever had them in work may answer yet
        self.most = dict.fromkeys(PREDICTORS, 0)  # fewer workers take nothing back that flies

    @rule(
        tenant=st.sampled_from(TENANTS),
        count=st.integers(1, 9),
        priority=st.integers(-3, 3),
        predictor=st.sampled_from(PREDICTORS),
    )
    def submit(self, tenant: str, count: int, priority: int, predictor: str) -> None:
        """A job comes and is planned."""
        running(self.database, count, tenant, predictor, priority=priority)

    @rule(predictor=st.sampled_from(PREDICTORS))
    def top_up(self, predictor: str) -> None:
        """Free credits are given; none stays free while a chunk waits."""
        credits = self.lanes * CREDITS_PER_WORKER
        new = fly(self.database, credits, predictor)
        mine = self.flying[predictor]
        mine += new
        self.most[predictor] = max(len(mine), credits)
        waits = len(rows_of(self.database, chunks, state="waiting", predictor=predictor))
        assert len({(row.job, row.chunk, row.step) for row in mine}) == len(mine)
        assert len(mine) == credits or not waits or (len(mine) > credits and not new)

    @rule(predictor=st.sampled_from(PREDICTORS), data=st.data())
    def results(self, predictor: str, data: st.DataObject) -> None:
        """Some results come, in any order, and some of them twice."""
        mine = self.flying[predictor]
        for _ in range(data.draw(st.integers(0, len(mine)))):
            row = mine.pop(data.draw(st.integers(0, len(mine) - 1)))
            land(self.database, [row] * data.draw(st.integers(1, 2)))
            self.gone.append(row)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def late(self, data: st.DataObject) -> None:
        """A worker that died had computed it, or another did meanwhile: a result that was there, or of an ended run."""
        before = [rows_of(self.database, table) for table in (chunks, jobs)]
        land(self.database, data.draw(st.lists(st.sampled_from(self.gone), min_size=1, max_size=4)))
        assert [rows_of(self.database, table) for table in (chunks, jobs)] == before

    @rule(lanes=st.integers(1, 3))
    def workers(self, lanes: int) -> None:
        """Model workers come and go."""
        self.lanes = lanes

    @rule(tenant=st.sampled_from(TENANTS), weight=st.sampled_from((0.5, 1.0, 3.0)))
    def weigh(self, tenant: str, weight: float) -> None:
        """An operator sets a tenant's weight."""
        put(self.database, tenants, {"tenant": tenant}, weight=weight)

    @precondition(lambda self: any(self.flying.values()))
    @rule(data=st.data(), status=st.sampled_from(("cancelled", "expired", "failed")))
    def cancel(self, data: st.DataObject, status: str) -> None:
        """A job that flies is cut short; its credits are free, while workers are still at its chunks."""
        row = data.draw(st.sampled_from([row for rows in self.flying.values() for row in rows]))
        assert self.database.write_sync(job_rows.end, named(row), status)
        for rows in self.flying.values():
            self.gone += [each for each in rows if each.job == row.job]
            rows[:] = [each for each in rows if each.job != row.job]

    @rule(count=st.integers(1, 5), on=st.booleans())
    def complete(self, count: int, on: bool) -> None:
        """Jobs with all their results end, or go on to a next step."""
        for row in rows_of(self.database, jobs, status="running", unfinished=0):
            run = Run(row.tenant, row.id, row.run)
            if on:
                self.database.write_sync(begin_step, run, row.step, row.step + 1, some_chunks(count))
            else:
                self.database.write_sync(job_rows.end, run, "succeeded")

    @invariant()
    def counts(self) -> None:
        """What flies is what was given and has not come back; the counts beside the jobs are those of the rows."""
        for predictor, mine in self.flying.items():
            assert len(rows_of(self.database, chunks, state="flying", predictor=predictor)) == len(mine)
            assert len(mine) <= max(self.most[predictor], self.lanes * CREDITS_PER_WORKER)
        states = Counter((row.job, row.state) for row in rows_of(self.database, chunks))
        for job in rows_of(self.database, jobs, status="running"):
            assert job.waiting == states[job.id, "waiting"]
            assert job.unfinished == states[job.id, "waiting"] + states[job.id, "flying"]

    def teardown(self) -> None:
        """When no more comes, everything lands."""
        for predictor in PREDICTORS:
            self.flying[predictor] += fly(self.database, 3, predictor)
            while self.flying[predictor]:
                land(self.database, self.flying[predictor])
                self.flying[predictor] = fly(self.database, 3, predictor)
        left = [row.id for row in rows_of(self.database, jobs, status="running") if row.unfinished]
        self.database.close()
        shutil.rmtree(self.folder)
        assert not left


def test_credits_whatever_happens(migrated: Path) -> None:
    """I expect as many chunks to fly as there are credits or waiting chunks, never more, and every job to be done."""
    Credits.migrated = migrated
    run_state_machine_as_test(
        Credits,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def tick(database: Database, credits: int = CREDITS_PER_WORKER) -> list[AnyRow]:
    """One result at a time: the oldest of what flies lands, its credit is given anew, complete jobs end."""
    flying = sorted(rows_of(database, chunks, state="flying"), key=lambda row: (row.flying_at, row.tenant, row.job))
    land(database, flying[:1])
    for row in rows_of(database, jobs, status="running", unfinished=0):
        database.write_sync(job_rows.end, Run(row.tenant, row.id, row.run), "succeeded")
    return fly(database, credits)


KINDS = st.tuples(st.sampled_from(TENANTS), st.integers(1, 3), st.integers(-1, 1))
OTHERS = 4


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mine=KINDS, theirs=st.lists(KINDS, min_size=1, max_size=4), before=st.integers(0, 12))
@example(mine=("anna", 3, 0), theirs=[("anna", 1, 0)], before=0)  # newcomers of its own tenant without end
@example(mine=("anna", 2, -1), theirs=[("anna", 2, 1), ("ben", 1, 1)], before=6)
def test_no_job_starves_whatever_comes(
    database: Database, mine: tuple[str, int, int], theirs: list[tuple[str, int, int]], before: int
) -> None:
    """I expect any job to go on, at the latest when all others have had their shares, while others come without end."""
    for row in rows_of(database, jobs, status="running"):
        database.write_sync(job_rows.end, Run(row.tenant, row.id, row.run), "cancelled")
    kinds = itertools.cycle(theirs)

    def crowd(waiting: int) -> None:
        while len([row for row in rows_of(database, jobs, status="running") if row.waiting]) < waiting:
            tenant, count, priority = next(kinds)
            running(database, count, tenant, priority=priority)

    for _ in range(before):
        crowd(OTHERS)
        tick(database, 2)
    tenant, left, priority = mine
    run = running(database, left, tenant, priority=priority)
    share = max(weight_of(each[2]) for each in (mine, *theirs)) / weight_of(priority)
    longest = len(TENANTS) * 2 * (OTHERS + 1) * (1 + share)  # every other credit is for newcomers
    since = 0
    while left:
        crowd(OTHERS + 1)
        tick(database, 2)
        now = row_of(database, jobs, id=run.job).waiting
        since = 0 if now < left else since + 1
        left = now
        assert since <= longest


@pytest.mark.parametrize("same_tenant", [False, True])
def test_a_short_job_beside_fifty_books(database: Database, same_tenant: bool) -> None:
    """I expect short jobs, one for every four results, to fly after two credits each beside 50 books of 100 chunks."""
    for _ in range(50):
        running(database, chunks=100, tenant="books")
    for _ in range(60):
        tick(database)
    waits = []
    for _ in range(25):
        short = running(database, chunks=1, tenant="books" if same_tenant else "short").job
        waited = 0
        while row_of(database, jobs, id=short).waiting:
            waited += 1
            assert waited < 60
            tick(database)
        waits.append(waited)
        for _ in range(max(0, 4 - waited)):
            tick(database)
    assert max(waits) <= 2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_book_behind_short_jobs_without_end(database: Database, size: int) -> None:
    """I expect a book to go on, at its share, while eight short jobs of its own tenant wait at any moment."""
    numbers = random.Random(size)
    book = running(database, chunks=40)
    before, since, longest = 40, 0, 0
    for _ in range(150):
        while len([row for row in rows_of(database, jobs, status="running") if row.waiting]) < 9:
            running(database, chunks=size, priority=numbers.choice((0, 0, 1)))
        tick(database)
        waiting = row_of(database, jobs, id=book.job).waiting
        since = 0 if waiting < before else since + 1
        before, longest = waiting, max(longest, since)
    assert longest <= 45


def test_no_short_job_starves_among_others(database: Database) -> None:
    """I expect a short job of low priority to be done although more of high priority come than are done."""
    for _ in range(6):
        running(database, chunks=1, priority=3)
    low = running(database, chunks=1, priority=0)
    waited = 0
    while row_of(database, jobs, id=low.job).waiting:
        waited += 1
        assert waited <= 60
        running(database, chunks=1, priority=3)
        tick(database)


def test_shares_follow_weights_at_every_moment(database: Database) -> None:
    """I expect each tenant, from the start on, within one credit of its own and one of each other's from its share."""
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    for name, weight in weights.items():
        running(database, chunks=200, tenant=name)
        running(database, chunks=200, tenant=name)
        put(database, tenants, {"tenant": name}, weight=weight)
    had: Counter[str] = Counter()
    for number in range(1, 121):
        rows = fly(database, 1)
        had.update(row.tenant for row in rows)
        land(database, rows)
        for name, weight in weights.items():
            assert abs(had[name] - number * weight / 8) <= 2, (number, had)


@pytest.mark.parametrize("chunks_of_other", [1, 100])
def test_a_predictor_that_hangs_moves_no_level(database: Database, chunks_of_other: int) -> None:
    """I expect a newcomer to share with those who want the same predictor, whoever waits for one that hangs."""
    running(database, chunks=5, tenant="stuck", predictor="other")
    running(database, chunks=5, tenant="new", predictor="other")
    running(database, chunks=300, tenant="busy")
    for _ in range(100):
        land(database, fly(database, 1))
    running(database, chunks=100, tenant="new")
    had: Counter[str] = Counter()
    for _ in range(40):
        rows = fly(database, 1)
        had.update(row.tenant for row in rows)
        land(database, rows)
    assert had["busy"] == pytest.approx(20, abs=2)
    running(database, chunks=chunks_of_other, tenant="busy", predictor="other")
    taken = [row.tenant for row in fly(database, 3, "other")]
    assert "busy" in taken, "what it had of one predictor, it does not owe at another"


def test_who_waits_is_never_passed_for_long(database: Database) -> None:
    """I expect tenants that come and go to let no tenant wait for more than a credit of each other."""
    reserved(database, "book")
    running(database, chunks=100, tenant="book")
    for _ in range(20):
        for name in ("b", "c", "d", "e"):
            running(database, chunks=1, tenant=name)
        taken: list[str] = []
        for _ in range(5):
            rows = fly(database, 1)
            land(database, rows)
            taken += [row.tenant for row in rows]
        assert "book" in taken
