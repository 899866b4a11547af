"""Jobs are found by what they are and whose they are, newest first, each once, and by an index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from streamapp.identity import Run
from streamapp.store import jobs, ledger
from streamapp.store.cursor import Cursor
from streamapp.store.database import Database
from streamapp.store.listing import Wanted, deliveries_of, matching
from streamapp.store.schema import deliveries
from streamapp.store.schema import jobs as rows
from tests.unit.store.rows import put, reserved, running

ANNA, BEN = "anna@example.org", "ben@example.org"


def ended(database: Database, status: str, error: str | None = None, mail: str | None = None, **fields: Any) -> Run:
    """A job that ended so, its e-mail in the state `mail`."""
    run = reserved(database, **fields)
    assert database.write_sync(jobs.end, run, status, error)
    if mail is not None:
        due = database.write_sync(ledger.enter, run, "succeeded", "email", fields["email"])
        put(database, deliveries, {"id": due.id}, state=mail)
    return run


def found(database: Database, **wanted: Any) -> list[str]:
    """The ids of anna's jobs that match."""
    return [row.id for row in database.read_sync(matching, "anna", Wanted(**wanted), 100)]


def test_each_filter(database: Database) -> None:
    """I expect the jobs that match all of it, newest first, and nobody else's."""
    lost = ended(database, "failed", "the Model broke, 100 %", "dead", email=ANNA, task="summarize").job
    late = ended(database, "expired", "its deadline passed", "pending", email=BEN).job
    gone = ended(database, "cancelled", "cancelled by its owner").job
    done = ended(database, "succeeded", None, "sent", email=ANNA).job
    queued, busy = reserved(database, email=ANNA).job, running(database).job
    ended(database, "failed", "the model broke", "dead", tenant="ben", email=ANNA)
    for number, job in enumerate((lost, late, gone, done, queued, busy)):
        put(database, rows, {"id": job}, created_at=1000.0 + number)

    assert found(database) == [busy, queued, done, gone, late, lost]
    assert found(database, statuses=("failed",)) == [lost]
    assert found(database, statuses=("succeeded", "failed", "queued", "failed")) == [queued, done, lost]
    assert found(database, task="summarize") == [lost]
    assert found(database, email=ANNA) == [queued, done, lost]
    assert found(database, email=ANNA, statuses=("failed", "queued")) == [queued, lost]
    assert found(database, created_from=1001.0, created_before=1004.0) == [done, gone, late]
    assert found(database, error="model BROKE") == [lost]
    assert found(database, error="100 %") == [lost]
    assert found(database, error="1_0") == []
    assert found(database, error="e", statuses=("expired",)) == [late]
    assert found(database, delivery="dead") == [lost]
    assert found(database, delivery="pending") == [late]
    assert found(database, delivery="sent") == [done]
    assert found(database, delivery="sent", email=ANNA) == [done]
    assert found(database, delivery="dead", email=BEN) == []


def test_the_newest_run_s_mail_counts(database: Database) -> None:
    """I expect what became of an earlier run's e-mail not to be taken for this one's."""
    run = ended(database, "failed", "broke", "dead", email=ANNA)
    put(database, rows, {"id": run.job}, run=2)
    row = database.read_sync(jobs.find, "anna", run.job)
    assert row is not None
    assert found(database, delivery="dead") == []
    assert database.read_sync(deliveries_of, [row]) == {Run("anna", run.job, 2): []}


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(statuses=("failed", "succeeded", "queued")), Wanted(email=ANNA)])
def test_pages_stay_as_they_are_while_jobs_come(database: Database, wanted: Wanted) -> None:
    """I expect every job once and in order, also those of the same moment, with new ones coming between pages."""
    chance, expected = random.Random(6), []
    for number in range(40):
        status = chance.choice(["failed", "succeeded", "queued"])
        run = reserved(database, email=ANNA)
        if status != "queued":
            database.write_sync(jobs.end, run, status)
        put(database, rows, {"id": run.job}, created_at=1000.0 + number // 4)
        expected.append(run.job)
    seen: list[str] = []
    after: Cursor | None = None
    while page := database.read_sync(matching, "anna", wanted, 7, after):
        seen += [row.id for row in page]
        after = Cursor(page[-1].created_at, page[-1].id)
        reserved(database, email=ANNA)
    assert seen == sorted(expected, reverse=True)


class Plans:
    """The plans of the statements that were run: what SQLite says it does for each."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._own = False

    def note(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        """Ask for the plan of a statement that is about to run."""
        if not self._own and statement.startswith("SELECT"):
            self._own = True
            found = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            self.lines += [str(row[3]) for row in found]
            self._own = False


@pytest.fixture
def plans(database: Database) -> Iterator[Plans]:
    """What is noted while the test runs."""
    if not database.sqlite:
        pytest.skip("the plan is SQLite's")
    noted = Plans()
    event.listen(database._reading, "before_cursor_execute", noted.note)
    yield noted
    event.remove(database._reading, "before_cursor_execute", noted.note)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), "jobs_by_age"),
        (Wanted(created_from=1.0, created_before=2.0), "jobs_by_age"),
        (Wanted(statuses=("failed",)), "jobs_by_state"),
        (Wanted(statuses=("failed", "expired")), "jobs_by_state"),
        (Wanted(error="broke"), "jobs_by_state"),
        (Wanted(task="echo"), "jobs_by_task"),
        (Wanted(email=ANNA), "jobs_by_email"),
        (Wanted(email=ANNA, delivery="sent"), "jobs_by_email"),
        (Wanted(email=ANNA, statuses=("failed", "expired")), "jobs_by_email"),
        (Wanted(delivery="sent"), "jobs_by_age"),
    ],
)
@pytest.mark.parametrize("after", [None, Cursor(1.5, "x")], ids=["first page", "later page"])
def test_a_page_is_read_in_its_order_from_an_index(
    database: Database, plans: Plans, wanted: Wanted, index: str, after: Cursor | None
) -> None:
    """I expect no scan, and nothing to be sorted: a page costs what it shows."""
    database.read_sync(matching, "anna", wanted, 20, after)
    assert plans.lines
    assert all(line.startswith(("SEARCH jobs", "SEARCH deliveries", "CORRELATED")) for line in plans.lines), plans.lines
    assert all(f" {index} " in line for line in plans.lines if line.startswith("SEARCH jobs")), plans.lines


@pytest.mark.parametrize("after", [None, Cursor(1.5, "x")], ids=["first page", "later page"])
@pytest.mark.parametrize("state", ["pending", "sending", "parked", "dead"])
def test_mail_that_is_not_sent_is_found_from_the_deliveries(
    database: Database, plans: Plans, state: str, after: Cursor | None
) -> None:
    """I expect the few deliveries of that state to be looked up, and then their jobs, not all jobs one by one."""
    database.read_sync(matching, "anna", Wanted(delivery=state), 20, after)
    assert any("SEARCH deliveries USING INDEX deliveries_by_state" in line for line in plans.lines), plans.lines
    assert any("SEARCH jobs" in line and "id=?" in line for line in plans.lines), plans.lines
    assert not any(line.startswith("SCAN") for line in plans.lines), plans.lines


def test_the_deliveries_of_a_page_are_found_by_index(database: Database, plans: Plans) -> None:
    """I expect one statement for all jobs of a page."""
    for _ in range(3):
        ended(database, "succeeded", None, "sent", email=ANNA)
    page = database.read_sync(matching, "anna", Wanted(), 20)
    plans.lines.clear()

    def look(connection: Connection) -> int:
        return sum(len(sent) for sent in deliveries_of(connection, page).values())

    assert database.read_sync(look) == 3
    assert not any(line.startswith("SCAN") for line in plans.lines), plans.lines
