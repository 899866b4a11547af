"""A tenant's limit and a cancel on the whole way: who is planned, who waits, and what still flies."""

from __future__ import annotations

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.jobs.taskwork import Begun
from streamapp.jobs.windows import CREDITS_PER_WORKER
from streamapp.models import Job
from streamapp.store import rooms
from streamapp.store.database import Database
from streamapp.store.schema import jobs
from tests.unit.jobs.test_way import REPORT, Way
from tests.unit.store.rows import reserved, rows_of, some_chunks


def status(database: Database) -> list[str]:
    """Every job's, in the order of their ids."""
    return [row.status for row in sorted(rows_of(database, jobs), key=lambda row: str(row.id))]


def message(run: Run) -> Job:
    """What the planner gets."""
    return Job(tenant=run.tenant, job_id=run.job, run=run.run)


async def test_a_job_without_room_is_let_be_and_comes_again(database: Database) -> None:
    """I expect the planner to acknowledge all, to begin as many as may run, and each end to bring the next at once."""

    def one_at_a_time(connection: Connection) -> None:
        rooms.set_tenant(connection, "anna", None, 1, usual=False)

    database.write_sync(one_at_a_time)
    way = Way(database, Begun(0, some_chunks(1)), Begun(0, some_chunks(1)), REPORT)
    runs = [reserved(database) for _ in range(3)]
    await way.publisher.jobs(runs)
    for run in reversed(runs):
        await way.planner.plan(message(run))
    assert status(database) == ["running", "queued", "queued"]
    assert way.workshop.calls == 1, "what has no room is not split in vain"
    way.publisher.runs.clear()
    await way.sweeper.sweep(0.0)
    assert way.publisher.runs == [], "the relay leaves them too"
    assert await way.progress.cancel(runs[0])
    assert way.publisher.runs == [runs[1]]
    await way.planner.plan(message(runs[1]))
    assert status(database) == ["cancelled", "running", "queued"]
    way.publisher.runs.clear()
    await way.results(way.publisher.rows[-1:])
    assert status(database) == ["cancelled", "succeeded", "queued"]
    assert way.publisher.runs == [runs[2]]


async def test_a_cancelled_job_costs_no_more_than_its_credits(database: Database) -> None:
    """I expect what flies at a cancel to be the last that is computed of the job, and its credits to go to others."""
    way = Way(database, Begun(0, some_chunks(50)))
    book, other = reserved(database), reserved(database)
    await way.planner.plan(message(book))
    await way.planner.plan(message(other))
    assert await way.progress.cancel(book)
    await way.progress.top_up(["model"])
    await way.results(way.publisher.rows)
    flown = [row.job for row in way.publisher.rows]
    assert flown.count(book.job) <= CREDITS_PER_WORKER
    assert flown.count(other.job) >= CREDITS_PER_WORKER
