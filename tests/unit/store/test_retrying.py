"""Another run of a job: everything anew, nothing of the older ones, and only where there is no result."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.identity import Run
from streamapp.resources import JobResource
from streamapp.store import dead_letters, jobs, ledger, mailing, reports
from streamapp.store.chunks import begin_step, store_result
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.outbox import unpublished_jobs
from streamapp.store.reservations import reserve
from streamapp.store.retrying import again
from streamapp.store.schema import chunks, clock, deliveries
from streamapp.store.schema import jobs as rows
from streamapp.store.schema import reports as report_rows
from streamapp.store.upkeep import dead_letters as letters
from streamapp.tasks.contract import Report
from tests.unit.store.rows import fly, key, land, new_job, put, reserved, row_of, rows_of, running, some_chunks


def failed(database: Database, **fields: Any) -> Run:
    """A job that failed half way, whose e-mail waits."""
    run = running(database, email="anna@example.org", **fields)
    database.write_sync(store_result, key(run, 0), b"[]")
    database.write_sync(jobs.end, run, "failed", "it broke")
    for kind, to in (("email", "anna@example.org"), ("notification", run.tenant)):
        database.write_sync(ledger.enter, run, "failed", kind, to)
    return run


def following(run: Run) -> Run:
    """The run after it."""
    return Run(run.tenant, run.job, run.run + 1)


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_a_job_begins_anew(database: Database, status: str) -> None:
    """I expect the row of a job that was reserved just now, but for its run and its age; the relay finds it."""
    fresh = reserved(database)
    run = running(database)
    put(database, rows, {"id": run.job}, done=2, remembered=1, remembered_at=1.0, served=9.0, published_at=1.0)
    database.write_sync(jobs.end, run, status, "an end")
    before = row_of(database, rows, id=run.job)

    row = database.write_sync(again, run)

    assert row is not None
    mine = {"id", "run", "created_at", "feed"}  # its number in the feed says nothing of a job that is open
    expected = {
        name: value for name, value in row_of(database, rows, id=fresh.job)._mapping.items() if name not in mine
    }
    assert {name: value for name, value in row._mapping.items() if name not in mine} == expected
    assert (row.run, row.created_at) == (2, before.created_at)
    put(database, rows, {"id": run.job}, created_at=1.0)
    assert Run(*database.read_sync(unpublished_jobs, 5.0, 10)[0]) == following(run)


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_what_runs_or_has_a_result_is_let_be(database: Database, status: str) -> None:
    """I expect nothing to change."""
    run = reserved(database) if status == "queued" else running(database)
    if status == "succeeded":
        database.write_sync(jobs.end, run, status)
    before = row_of(database, rows)
    assert database.write_sync(again, run) is None
    assert row_of(database, rows) == before


def test_the_second_of_two_retries_changes_nothing(database: Database) -> None:
    """I expect one run more, however often it is asked for."""
    run = failed(database)
    assert database.write_sync(again, run) is not None
    assert database.write_sync(again, run) is None
    assert row_of(database, rows).run == 2


def test_nothing_of_an_older_run_is_left_or_counts(database: Database) -> None:
    """I expect its chunks, its report and its waiting notices to be gone, and what comes late to change nothing."""
    run, other = failed(database), failed(database)
    database.write_sync(reports.keep, run, Report(subject="Partly", text="Half."))
    assert database.write_sync(again, run) is not None
    for table in (chunks, report_rows, deliveries):
        assert rows_of(database, table, job=run.job) == []
    assert len(rows_of(database, deliveries, job=other.job)) == 2

    assert not database.write_sync(store_result, key(run, 1), b"[]")
    assert not database.write_sync(begin_step, run, None, 0, some_chunks(1))
    assert not database.write_sync(jobs.end, run, "expired")
    assert row_of(database, rows, id=run.job).status == "queued"

    assert database.write_sync(begin_step, following(run), None, 0, some_chunks(2))
    land(database, fly(database, 9))
    assert row_of(database, rows, id=run.job).done == 4


@pytest.mark.parametrize(("state", "doubt"), [("sending", 0), ("sent", 0), ("dead", 0), ("parked", 1), ("pending", 1)])
def test_a_notice_that_may_be_out_stays(database: Database, state: str, doubt: int) -> None:
    """I expect its delivery to be kept, and to say that the job was started again should it go out once more."""
    run = failed(database)
    put(database, deliveries, {"job": run.job}, state=state, in_doubt=doubt)
    database.write_sync(again, run)
    row = next(row for row in rows_of(database, deliveries, job=run.job) if row.kind == "email")
    job, _ = database.read_sync(mailing.content, row)
    assert isinstance(job, JobResource)
    assert (job.status, job.error) == ("failed", mailing.SINCE)


def test_the_new_run_s_mail_is_another(database: Database) -> None:
    """I expect another delivery for the same event, so that it is not taken for the one that went out."""
    run = failed(database)
    put(database, deliveries, {"job": run.job}, state="sent")
    database.write_sync(again, run)
    database.write_sync(jobs.end, following(run), "failed", "it broke again")
    due = database.write_sync(ledger.enter, following(run), "failed", "email", "anna@example.org")
    assert len(rows_of(database, deliveries, job=run.job, kind="email")) == 2
    assert [row.id for row in database.read_sync(ledger.of_job, following(run))] == [due.id]


def test_an_open_dead_letter_of_an_older_run_is_settled(database: Database) -> None:
    """I expect messages of it to be discarded, for they hide what is lost; a delivery's, and others' stay open."""
    run, other = failed(database), failed(database)
    for number, job in enumerate((run.job, other.job)):
        database.write_sync(dead_letters.note, Letter("t", 0, number, "bad", 1.0, None, b"{}", "anna", job, None))
    mail = next(row for row in rows_of(database, deliveries, job=run.job) if row.kind == "email")
    database.write_sync(dead_letters.given_up, mail, "no such mailbox")
    database.write_sync(again, run)
    states = {(row.job, row.delivery): row.state for row in rows_of(database, letters)}
    assert states == {(run.job, None): "discarded", (run.job, mail.id): "open", (other.job, None): "open"}


def test_the_deadline_of_the_next_run(database: Database) -> None:
    """I expect one that has passed to be dropped, one that lies ahead to be kept, and one that is given to hold."""
    past, ahead, given, none = (failed(database) for _ in range(4))
    put(database, rows, {"id": past.job}, deadline=clock() - 10.0)
    for run in (ahead, given, none):
        put(database, rows, {"id": run.job}, deadline=clock() + 1000.0)
    kept = row_of(database, rows, id=ahead.job).deadline
    database.write_sync(again, past)
    database.write_sync(again, ahead)
    database.write_sync(again, given, 5e9, keep_deadline=False)
    database.write_sync(again, none, None, keep_deadline=False)
    deadlines = [row_of(database, rows, id=run.job).deadline for run in (past, ahead, given, none)]
    assert deadlines == [None, kept, 5e9, None]


def test_the_key_names_the_job_at_its_new_run(database: Database) -> None:
    """I expect the first request, repeated, to find the job, and another body under its key not to."""
    run = failed(database, idempotency_key="k")
    database.write_sync(again, run)
    same = database.write_sync(reserve, new_job(idempotency_key="k"))
    other = database.write_sync(reserve, new_job(idempotency_key="k", body_hash="another"))
    assert (same.created, same.same, same.row.run) == (False, True, 2)
    assert not other.same
