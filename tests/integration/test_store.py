"""The store's unit tests once more, on PostgreSQL, and what only many connections at once can show."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from sqlalchemy import Connection, text

from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.intake.handling import LARGEST, number_of
from streamapp.jobs import progress
from streamapp.jobs.taskwork import Begun
from streamapp.jobs.windows import Windows
from streamapp.store import audit, credits, dead_letters, flights, inbox, ledger
from streamapp.store import jobs as job_rows
from streamapp.store.chunks import ChunkKey, begin_step, store_result
from streamapp.store.credits import take_off
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter
from streamapp.store.migrate import migrate
from streamapp.store.reservations import reserve
from streamapp.store.schema import chunks, deliveries, jobs, tenants
from streamapp.store.upkeep import leases
from streamapp.tasks.contract import Report
from tests.integration import postgresql
from tests.unit.store import (
    test_credits,
    test_dead_letters,
    test_joining,
    test_keys,
    test_leases,
    test_ledger,
    test_listing,
    test_memory,
    test_migrations,
    test_outbox,
    test_paused,
    test_reservations,
    test_retrying,
    test_steps,
    test_suspects,
    test_webhook_secrets,
)
from tests.unit.store.rows import fly, new_job, put, reserved, row_of, rows_of, running, some_chunks

SHARED: tuple[ModuleType, ...] = (
    test_credits,
    test_dead_letters,
    test_joining,
    test_keys,
    test_leases,
    test_ledger,
    test_listing,
    test_memory,
    test_migrations,
    test_outbox,
    test_paused,
    test_reservations,
    test_retrying,
    test_steps,
    test_suspects,
    test_webhook_secrets,
)
for module in SHARED:
    tests = {name: value for name, value in vars(module).items() if name.startswith("test_")}
    assert not tests.keys() & globals().keys()
    globals().update(tests)
plans = test_listing.plans


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A PostgreSQL server of this module's own; missing is fine but in CI."""
    programs = postgresql.binaries()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed")
    with postgresql.server(programs) as address:
        database = Database(address)
        migrate(database)
        database.close()
        yield address


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty store on PostgreSQL."""
    database = Database(url)
    names = ", ".join(f'"{table.name}"' for table in leases.metadata.sorted_tables)
    with database.connection() as connection:
        connection.execute(text(f"TRUNCATE {names}"))
    yield database
    database.close()


def all_at_once(*works: Callable[[], None]) -> None:
    """Run these in a thread each, started together; the first error is raised."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        start.wait(10)
        work()

    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(run, work) for work in works]:
            done.result(60)


def test_two_migrate_at_once(url: str) -> None:
    """I expect two workers that start together on a new database to make its tables once."""
    first = Database(url)
    with first._writing.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CREATE DATABASE fresh"))
    fresh = [Database(url.replace("/postgres?", "/fresh?")) for _ in range(2)]
    all_at_once(*(lambda database=database: migrate(database) for database in fresh))
    assert rows_of(fresh[0], jobs) == []
    for database in (first, *fresh):
        database.close()


def test_the_largest_number_that_a_request_may_name(database: Database) -> None:
    """I expect nothing to be found, and not that the server refuses the statement."""
    number = number_of(str(LARGEST))
    assert number == LARGEST
    assert database.read_sync(inbox.newest, "anna", 5, number) == []
    assert database.write_sync(inbox.mark_read, "anna", number) is None
    assert database.write_sync(inbox.mark_all_read, "anna", number) == 0
    assert database.read_sync(dead_letters.find, number) is None
    assert database.read_sync(dead_letters.matching, Filter(before=number), 5) == []
    assert database.read_sync(audit.newest, "anna", 5, number) == []


def test_many_results_at_once_complete_a_step_once(database: Database) -> None:
    """I expect every result to count once, however many come at the same moment, some of them twice."""
    run = running(database, chunks=60)
    fly(database, 60)
    completed: list[object] = []

    def results(offset: int) -> None:
        for number in range(60):
            key = ChunkKey(run, 0, "model", (number + offset) % 60)
            completed.append(database.write_sync(store_result, key, b"[]"))

    all_at_once(*(lambda offset=offset: results(offset) for offset in (0, 0, 7, 30)))
    job = row_of(database, jobs, id=run.job)
    assert (job.unfinished, job.waiting, job.done) == (0, 0, 120)
    assert any(completed)


def test_an_end_is_told_once(database: Database) -> None:
    """I expect several workers that reduce the same last step at the same moment to enter one job's deliveries once."""
    told: list[int] = []
    for _ in range(10):
        run = reserved(database, email="reader@example.org")
        report = Report(subject="Done", text="All of it.")

        def finish(run: Run = run, report: Report = report) -> None:
            told.append(len(database.write_sync(progress._finish, run, None, report)))

        all_at_once(*[finish] * 4)
    assert sorted(told) == [0] * 30 + [2] * 10
    assert len(rows_of(database, deliveries)) == 20


def test_credits_are_exact_whoever_hands_them_out(database: Database) -> None:
    """I expect never more to fly than there are credits, with many workers storing, topping up and cancelling at once,
    for two predictors, and no deadlock to reach any of them.
    """
    most_credits, jobs_, chunks_ = 6, 12, 15
    for number in range(jobs_):
        run = reserved(database, f"tenant-{number % 3}", priority=number % 3)
        both = [*some_chunks(chunks_, "one"), *some_chunks(chunks_, "two")]
        assert database.write_sync(begin_step, run, None, 0, both)
    everyone = rows_of(database, jobs)
    left = threading.Event()
    most: list[int] = []

    def work(predictor: str) -> None:
        idle = 0
        while idle < 20:
            rows = database.write_sync(take_off, predictor, most_credits)
            idle = 0 if rows else idle + 1
            for row in rows:
                key = ChunkKey(Run(row.tenant, row.job, row.run), row.step, predictor, row.chunk)
                database.write_sync(store_result, key, b"[]")

    def watch() -> None:
        query = "SELECT count(*) FROM chunks WHERE state = 'flying' GROUP BY predictor"
        while not left.is_set():
            most.extend(row[0] for row in database.read_sync(lambda c: c.execute(text(query)).all()))

    def cancel() -> None:
        for row in everyone[::3]:
            database.write_sync(job_rows.end, Run(row.tenant, row.id, row.run), "cancelled")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        all_at_once(*[lambda name=name: work(name) for name in ("one", "two") for _ in range(3)], cancel)
    finally:
        left.set()
        watcher.join()
    assert most
    assert max(most) <= most_credits
    for row in rows_of(database, jobs, status="running"):
        assert (row.unfinished, row.waiting, row.done) == (0, 0, row.total)
    assert len(rows_of(database, jobs, status="cancelled")) == len(everyone[::3])
    assert rows_of(database, chunks, state="flying") == []


def test_beginning_a_step_and_giving_credits_don_t_wait_for_each_other(database: Database) -> None:
    """I expect a step that begins with its credits to await its turn before it writes what giving credits writes."""
    running(database, tenant="bert")  # so that anna, who waits for nothing, is raised to where he is
    put(database, tenants, {"tenant": "bert"}, served=5.0)
    newcomer = reserved(database)
    given, begun = threading.Event(), threading.Event()
    attempts: list[str] = []

    def give(connection: Connection) -> None:
        attempts.append("give")
        credits.await_turn(connection)
        given.set()
        begun.wait(10)
        time.sleep(0.5)  # the other one is at its first lock by now, whichever that is
        flights.note_tenants(connection, [("anna", 7.0, 0)])

    def begin(connection: Connection) -> None:
        attempts.append("begin")
        given.wait(10)
        begun.set()
        step = Begun(0, some_chunks(1))
        assert progress._begin_and_take_off(connection, newcomer, None, step, {}, "model", Windows()) is not None

    all_at_once(lambda: database.write_sync(give), lambda: database.write_sync(begin))
    assert sorted(attempts) == ["begin", "give"], "nobody was the victim of a deadlock"


def test_a_deadlock_is_tried_again(database: Database) -> None:
    """I expect PostgreSQL's victim of a deadlock to do its work in another transaction, and both to end well."""
    first, second = reserved(database), reserved(database)
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def swap(name: str, mine: Run, others: Run) -> None:
        def work(connection: Connection) -> None:
            attempts.append(name)
            job_rows.end(connection, mine, "failed")
            if attempts.count(name) == 1:
                both_hold_one.wait(10)
            connection.execute(text("UPDATE jobs SET name = :name WHERE id = :id"), {"name": name, "id": others.job})

        database.write_sync(work)

    all_at_once(lambda: swap("a", first, second), lambda: swap("b", second, first))
    assert len(attempts) >= 3  # and each may be a victim once
    assert {row.status for row in rows_of(database, jobs)} == {"failed"}


def test_a_server_that_goes_away_is_an_outage(database: Database) -> None:
    """I expect a connection that the server ended to come as `StoreUnavailable`, and the next write to work."""

    def end_me(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StoreUnavailable):
        database.write_sync(end_me)
    assert database.write_sync(reserve, new_job()).created


def test_a_read_only_server_is_an_outage(database: Database) -> None:
    """I expect a standby, which refuses writes, to be waited for and not taken for a bug."""

    def refused(connection: Connection) -> None:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        reserve(connection, new_job())

    with pytest.raises(StoreUnavailable, match="read-only"):
        database.write_sync(refused)


def test_the_clock_goes_on_within_a_transaction(database: Database) -> None:
    """I expect a lease to be counted from the statement and not from the transaction's start."""
    identity = database.write_sync(ledger.enter, Run("anna", "job", 1), "succeeded", "email", "r@example.org").id

    def work(connection: Connection) -> float:
        connection.execute(text("SELECT pg_sleep(0.3)"))
        row = ledger.claim(connection, identity, "one", 10.0, "resend")
        assert row is not None
        until: float = row.lease_until
        return until

    before = database.read_sync(lambda c: c.execute(text("SELECT extract(epoch from now())")).scalar_one())
    assert database.write_sync(work) >= float(before) + 10.29
