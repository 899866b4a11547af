"""Finished jobs go after their time with all that they stored, and leave a tombstone that outlives their messages."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, insert

from streamapp.identity import Run
from streamapp.store import dead_letters, inbox, jobs, ledger, outbox, removal, reports
from streamapp.store.chunks import begin_step, store_result
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.reservations import JobRemoved, reserve
from streamapp.store.retrying import again
from streamapp.store.schema import chunks, clock, deliveries, files
from streamapp.store.schema import inbox as lines
from streamapp.store.schema import jobs as job_rows
from streamapp.store.schema import reports as report_rows
from streamapp.store.upkeep import dead_letters as letter_rows
from streamapp.store.upkeep import spoken_for, tombstones
from streamapp.tasks.contract import Plot, Report
from tests.unit.store.rows import key, new_job, put, reserved, row_of, rows_of, some_chunks

DAY_S = 86_400.0
EVERYTHING: tuple[Table, ...] = (job_rows, chunks, report_rows, files, deliveries, lines, letter_rows)
REPORT = Report(subject="Done", text="All of it.", plot=Plot(png=b"\x89PNG", alt="a plot"))


def finished(database: Database, days_ago: float, **fields: Any) -> Run:
    """A job that ended so long ago, with a report, a plot, an e-mail, a line in the inbox and a dead letter."""
    run = reserved(database, **fields)
    database.write_sync(jobs.end, run, "succeeded")
    database.write_sync(reports.keep, run, REPORT)
    for kind in ("email", "notification"):
        due = database.write_sync(ledger.enter, run, "succeeded", kind, "anna")
        row = database.read_sync(ledger.get, due.id)
        assert row is not None
        if kind == "notification":
            database.write_sync(inbox.deliver, row, "Done", "It is done.")
        put(database, deliveries, {"id": due.id}, state="sent")
    letter = Letter("results", 0, int(run.job[-6:]), "bad", 1.0, None, b"{}", run.tenant, run.job, None)
    database.write_sync(dead_letters.note, letter)
    put(database, job_rows, {"id": run.job}, finished_at=clock() - days_ago * DAY_S)
    return run


def tidy(database: Database, keep_days: float = 30.0, most: int = 200) -> int:
    """Remove all that is due; returns how many transactions it took."""
    rows = database.read_sync(removal.due_for_removal, keep_days * DAY_S, 20)
    keys, rounds = [(row.tenant, row.id) for row in rows], 0
    while keys:
        rounds += 1
        if database.write_sync(removal.remove, keep_days * DAY_S, keys, most):
            break
    return rounds


def test_all_of_a_job_goes_after_its_time(database: Database) -> None:
    """I expect no row of the old one anywhere but its tombstone, and every row of the younger one."""
    old, young = finished(database, 31.0, idempotency_key="a key"), finished(database, 29.0)
    tidy(database)
    for table in EVERYTHING:
        column = "id" if table is job_rows else "job"
        assert rows_of(database, table, **{column: old.job}) == []
        if table is not chunks:
            assert len(rows_of(database, table, **{column: young.job})) >= 1
    stone = row_of(database, tombstones)
    assert (stone.tenant, stone.job, stone.run) == (old.tenant, old.job, 1)
    assert (stone.body_hash, stone.idempotency_key, stone.status) == ("one body", "a key", "succeeded")


@pytest.mark.parametrize("state", ["pending", "sending", "parked"])
def test_a_job_with_an_unsettled_delivery_stays(database: Database, state: str) -> None:
    """I expect nobody's e-mail to be removed before it is settled."""
    run = finished(database, 400.0)
    put(database, deliveries, {"job": run.job, "kind": "email"}, state=state)
    assert tidy(database) == 0
    assert row_of(database, job_rows).id == run.job


def test_what_has_not_ended_stays(database: Database) -> None:
    """I expect neither queued nor running jobs to go, however old."""
    run = reserved(database)
    put(database, job_rows, {"id": run.job}, created_at=clock() - 400 * DAY_S)
    assert tidy(database) == 0


def test_a_transaction_touches_few_rows(database: Database) -> None:
    """I expect thirty rows in threes to take ten transactions and more, the jobs going last."""
    for _ in range(5):
        finished(database, 31.0)
    assert tidy(database, most=3) >= 10
    for table in EVERYTHING:
        assert rows_of(database, table) == []
    assert len(rows_of(database, tombstones)) == 5


@pytest.mark.parametrize("same", ["id", "key", "both"])
def test_a_removed_job_does_not_start_again(database: Database, same: str) -> None:
    """I expect its id and its key to name what was removed, and another one's to be free."""
    old = finished(database, 31.0, idempotency_key="a key")
    tidy(database)
    again: dict[str, Any] = {
        "id": old.job if same != "key" else None,
        "idempotency_key": "a key" if same != "id" else None,
    }
    with pytest.raises(JobRemoved) as raised:
        database.write_sync(reserve, new_job(**again))
    assert raised.value.same
    with pytest.raises(JobRemoved) as raised:
        database.write_sync(reserve, new_job(**again, body_hash="another"))
    assert not raised.value.same
    assert rows_of(database, job_rows) == []
    assert database.write_sync(reserve, new_job(tenant="ben", **again)).created
    assert database.write_sync(reserve, new_job()).created


def test_what_comes_late_changes_nothing(database: Database) -> None:
    """I expect a job's message, a result and a delivery of a removed job to meet nothing."""
    run = reserved(database)
    assert database.write_sync(begin_step, run, None, 0, some_chunks(1))
    due = database.write_sync(ledger.enter, run, "succeeded", "email", "anna@example.com")
    put(database, deliveries, {"id": due.id}, state="sent")
    database.write_sync(jobs.end, run, "succeeded")
    put(database, job_rows, {"id": run.job}, finished_at=clock() - 31 * DAY_S)
    tidy(database)
    assert database.read_sync(jobs.get, run) is None
    assert not database.write_sync(begin_step, run, None, 0, some_chunks(1))
    assert not database.write_sync(store_result, key(run, 0), b"[]")
    assert database.write_sync(ledger.claim, due.id, "token", 60.0, "resend") is None
    database.write_sync(outbox.jobs_published, [run], [(0, 7)])
    for table in EVERYTHING:
        assert rows_of(database, table) == []


def test_tombstones_go_after_their_time(database: Database) -> None:
    """I expect the old ones and old notes of e-mails to go, a few at a time, and the younger ones to stay."""
    for days_ago in (500, 500, 500, 100):
        finished(database, 31.0)
        tidy(database)
        put(database, tombstones, {"removed_at": row_of_newest(database)}, removed_at=clock() - days_ago * DAY_S)
    note = {"delivery": "d", "noted_at": clock() - 500 * DAY_S}
    database.write_sync(lambda connection: connection.execute(insert(spoken_for).values(note)))
    assert database.write_sync(removal.forget, 400 * DAY_S, 2) == 3
    assert database.write_sync(removal.forget, 400 * DAY_S, 2) == 1
    assert database.write_sync(removal.forget, 400 * DAY_S, 2) == 0
    assert len(rows_of(database, tombstones)) == 1


def row_of_newest(database: Database) -> float:
    """When the newest tombstone was set."""
    return float(max(row.removed_at for row in rows_of(database, tombstones)))


def test_a_clock_set_back_removes_nothing(database: Database) -> None:
    """I expect a job that ended in the future to stay: the clock will come by."""
    finished(database, -1.0)
    assert tidy(database) == 0


def test_a_job_that_was_started_again_keeps_all(database: Database) -> None:
    """I expect nothing of it to go that was looked for while it was over, in whatever state the removal is."""
    run = finished(database, 31.0)
    put(database, job_rows, {"id": run.job}, status="failed")
    (row,) = database.read_sync(removal.due_for_removal, 30.0 * DAY_S, 20)
    assert not database.write_sync(removal.remove, 30.0 * DAY_S, [(row.tenant, row.id)], 1)
    database.write_sync(again, run)
    database.write_sync(begin_step, Run(run.tenant, run.job, 2), None, 0, some_chunks(3))
    for keep_s in (30.0 * DAY_S, None):
        assert database.write_sync(removal.remove, keep_s, [(row.tenant, row.id)], 200)
    assert len(rows_of(database, chunks, job=run.job)) == 3
    assert row_of(database, job_rows).status == "running"
    assert rows_of(database, tombstones) == []


def test_whenever_it_ended(database: Database) -> None:
    """I expect a job of just now to go when no time is named, in few rows a transaction, and only that one."""
    run, other = finished(database, 0.0), finished(database, 0.0)
    rounds = 1
    while not database.write_sync(removal.remove, None, [(run.tenant, run.job)], 2):
        rounds += 1
    assert rounds > 2
    for table in EVERYTHING:
        column = "id" if table is job_rows else "job"
        assert rows_of(database, table, **{column: run.job}) == []
        if table is not chunks:
            assert rows_of(database, table, **{column: other.job}) != []
    assert row_of(database, tombstones).job == run.job
