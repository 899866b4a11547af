"""Whatever ends a job or an attempt at a delivery gives it a number in the tenant's feed, larger than all before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete

from streamapp.identity import Run
from streamapp.store import decisions, feed, inbox, jobs, ledger, restore
from streamapp.store.database import Database
from streamapp.store.schema import clock, deliveries
from streamapp.store.schema import jobs as job_table
from streamapp.store.sql import insert_or_ignore
from streamapp.store.upkeep import spoken_for
from tests.unit.store.rows import put, reserved, row_of, running

RUN = Run("anna", "job-x", 1)
TOKEN = "token"


def _deliver(connection: Connection, identity: str) -> None:
    row = ledger.get(connection, identity)
    assert row is not None
    inbox.deliver(connection, row, "A title", "A body")


OUTCOMES: dict[str, Callable[[Connection, str], object]] = {
    "sent": lambda connection, id: ledger.sent(connection, id, TOKEN),
    "failed": lambda connection, id: ledger.later(connection, id, TOKEN, "no", 5.0),
    "in doubt": lambda connection, id: ledger.park(connection, id, TOKEN, "nobody knows"),
    "given up": lambda connection, id: ledger.give_up(connection, id, TOKEN, "no"),
    "in the inbox": _deliver,
    "set back": lambda connection, id: restore.park_under_way(connection),
}


def entered(database: Database, kind: str = "email") -> str:
    """A delivery."""
    return database.write_sync(ledger.enter, RUN, "succeeded", kind, "r@localhost").id


def number(database: Database, identity: str) -> int | None:
    """The number of what became of it."""
    found: int | None = row_of(database, deliveries, id=identity).feed
    return found


@pytest.mark.parametrize("how", OUTCOMES)
def test_an_outcome_has_a_number(database: Database, how: str) -> None:
    """I expect none before the attempt has ended, and one after it that readers at the end before find."""
    identity, place = entered(database), database.read_sync(feed.start, "anna")
    assert database.write_sync(ledger.claim, identity, TOKEN, 60.0, "resend") is not None
    assert number(database, identity) is None
    database.write_sync(OUTCOMES[how], identity)
    assert [seen.row.id for seen in database.read_sync(feed.after, "anna", place, 10)] == [identity]
    assert database.read_sync(feed.after, "anna", database.read_sync(feed.start, "anna"), 10) == []


def test_what_a_crash_left_in_doubt_has_a_number(database: Database) -> None:
    """It is parked by the next claim, and settled by an operator: I expect a number each time, the second larger."""
    identity = entered(database)
    database.write_sync(ledger.claim, identity, TOKEN, 60.0, "park")
    put(database, deliveries, {"id": identity}, lease_until=clock() - 1.0)
    assert database.write_sync(ledger.claim, identity, TOKEN, 60.0, "park") is None
    first = number(database, identity)
    assert database.write_sync(decisions.settle_sent, identity)
    second = number(database, identity)
    assert first is not None
    assert second is not None
    assert second > first


def test_what_is_parked_when_it_is_entered_has_a_number(database: Database) -> None:
    """It was being sent in a life of the store that a backup took back: I expect readers to be told."""
    identity = entered(database)
    database.write_sync(lambda connection: connection.execute(delete(deliveries)))
    note = {"delivery": identity}
    database.write_sync(lambda connection: insert_or_ignore(connection, spoken_for, note, "noted_at"))
    assert entered(database) == identity
    assert number(database, identity) is not None


@pytest.mark.parametrize("status", feed.FINAL)
def test_an_end_has_a_number(database: Database, status: str) -> None:
    """I expect a larger one than that of the delivery before, though the clock was set back."""
    identity = entered(database, "notification")
    database.write_sync(_deliver, identity)
    put(database, deliveries, {"id": identity}, feed=1 << 62)
    run = running(database) if status == "succeeded" else reserved(database)
    place = database.read_sync(feed.start, "anna")
    assert database.write_sync(jobs.end, run, status)
    assert [seen.row.id for seen in database.read_sync(feed.after, "anna", place, 10)] == [run.job]
    assert row_of(database, job_table, id=run.job).feed == (1 << 62) + 1


def test_a_job_that_runs_again_has_not_ended(database: Database) -> None:
    """A retry leaves the number where it is: I expect no end to be told before the next one."""
    run, place = reserved(database), database.read_sync(feed.start, "anna")
    database.write_sync(jobs.end, run, "failed")
    put(database, job_table, {"id": run.job}, status="queued", run=2)
    assert database.read_sync(feed.after, "anna", place, 10) == []
