"""Partial reports: of what is there without a gap, only where somebody follows, and not often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from streamapp.errors import TaskFailed
from streamapp.events.partials import COSTS, LEAST_S, Partials
from streamapp.events.watch import JobWatch, Watch
from streamapp.identity import Run
from streamapp.jobs.packing import Row
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import Workshop
from streamapp.store.chunks import store_result
from streamapp.store.database import Database
from streamapp.tasks.contract import Report
from streamapp.tasks.echo import EchoPredictor, EchoStep
from tests.unit.store.rows import key, running

ECHO = EchoPredictor.name


class TellingStep(EchoStep):
    """A step that says how far it is."""

    def partial(self, results: Any, params: Any) -> Report | None:
        """Never called here: the workshop is a fake."""
        raise NotImplementedError


class Telling:
    """A task with it, and one without."""

    steps = (TellingStep(), EchoStep())


class FakeWorkshop:
    """Tells the chunks that it was given; `costs` seconds go by meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.costs = 0.0
        self.fails = False
        self.given: list[list[int]] = []

    async def run_sized(self, size: int, work: Any, about: Assignment, step: int, rows: Sequence[Row]) -> Report:
        """Make a report of every second chunk."""
        self.given.append([row.chunk for row in rows])
        self.now += self.costs
        if self.fails:
            raise TaskFailed("it raised")
        return Report(subject="So far", text=f"{len(rows) // 2}")


class Followed:
    """A running job that one reader follows."""

    def __init__(self, database: Database, workshop: FakeWorkshop, watched: JobWatch, watch: Watch, run: Run) -> None:
        self.database, self.workshop, self.watched, self.watch, self.run = database, workshop, watched, watch, run
        registry: Any = {"echo": Telling()}
        self.partials = Partials(database, cast(Workshop, workshop), registry, watch, lambda: workshop.now)

    async def store(self, *numbers: int) -> None:
        """Results of these chunks."""
        for number in numbers:
            await self.database.write(store_result, key(self.run, number, predictor=ECHO), b"[]")
        await self.watch.look()

    def told(self) -> tuple[int, int] | None:
        """Chunks and items of the newest partial report."""
        partial = self.watched.partial
        return None if partial is None else (partial.chunks, json.loads(partial.data)["items"])


async def with_followed(database: Database, work: Callable[[Followed], Any]) -> None:
    """Follow a job of six chunks meanwhile."""
    watch, run = Watch(database), running(database, 6, predictor=ECHO)
    with watch.job((run.tenant, run.job), asyncio.Event()) as watched:
        await watch.look()
        await work(Followed(database, FakeWorkshop(), watched, watch, run))


async def test_it_is_about_what_has_no_gap(database: Database) -> None:
    """Results come in any order: I expect the chunks before the first that is missing, and nothing twice."""

    async def work(followed: Followed) -> None:
        for stored, about in [((2,), None), ((0,), (1, 2)), ((1, 4), (3, 6)), ((), (3, 6)), ((3,), (5, 10))]:
            await followed.store(*stored)
            followed.workshop.now += LEAST_S
            await followed.partials.make_next()
            assert followed.told() == about
        assert followed.workshop.given == [[0], [0, 1, 2], [0, 1, 2, 3, 4]]
        await followed.store(5)
        followed.workshop.now += LEAST_S
        await followed.partials.make_next()
        assert len(followed.workshop.given) == 3  # all of it is the report's

    await with_followed(database, work)


async def test_it_says_the_same_elsewhere(database: Database) -> None:
    """I expect another worker to tell the same of as many chunks, under the same digest."""

    async def work(followed: Followed) -> None:
        other = Followed(database, FakeWorkshop(), followed.watched, followed.watch, followed.run)
        await followed.store(0, 1)
        made = []
        for each in (followed, other):
            await each.partials.make_next()
            made.append(followed.watched.partial)
        assert made[0] == made[1] is not None

    await with_followed(database, work)


@pytest.mark.parametrize("costs", [0.0, 7.0])
async def test_it_is_not_made_often(database: Database, costs: float) -> None:
    """I expect a pause of some seconds, and of many times what it took, before the next one of a job."""

    async def work(followed: Followed) -> None:
        followed.workshop.costs = costs
        await followed.store(0)
        await followed.partials.make_next()
        await followed.store(1)
        followed.workshop.now += max(LEAST_S, COSTS * costs) - 0.1
        await followed.partials.make_next()
        assert len(followed.workshop.given) == 1
        followed.workshop.now += 0.2
        await followed.partials.make_next()
        assert len(followed.workshop.given) == 2

    await with_followed(database, work)


async def test_a_task_that_raises_is_left_alone(database: Database) -> None:
    """I expect one attempt, and the job to go on without."""

    async def work(followed: Followed) -> None:
        followed.workshop.fails = True
        for number in range(3):
            await followed.store(number)
            followed.workshop.now += LEAST_S
            await followed.partials.make_next()
        assert (len(followed.workshop.given), followed.told()) == (1, None)

    await with_followed(database, work)


async def test_a_reader_that_comes_again_at_once(database: Database) -> None:
    """I expect it to be told what the one before was, though the job does not go on; and no oftener for that."""
    watch, run, workshop = Watch(database), running(database, 3, predictor=ECHO), FakeWorkshop()
    with watch.job((run.tenant, run.job), asyncio.Event()) as watched:
        before = Followed(database, workshop, watched, watch, run)
        await before.store(0, 1)
        await before.partials.make_next()
        assert before.told() == (2, 4)
    with watch.job((run.tenant, run.job), asyncio.Event()) as watched:
        await watch.look()
        await before.partials.make_next()
        assert (watched.partial, len(workshop.given)) == (None, 1)
        workshop.now += LEAST_S
        await before.partials.make_next()
        assert watched.partial == before.watched.partial is not None


async def test_nobody_follows(database: Database) -> None:
    """I expect no work for a job that nobody follows (any more)."""
    watch, run, workshop = Watch(database), running(database, 3, predictor=ECHO), FakeWorkshop()
    with watch.job((run.tenant, run.job), asyncio.Event()) as watched:
        followed = Followed(database, workshop, watched, watch, run)
        await followed.store(0, 1)
    await followed.partials.make_next()
    assert workshop.given == []
