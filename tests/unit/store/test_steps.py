"""A step's chunks and their results, and the job's states."""

from __future__ import annotations

import pytest

from streamapp.identity import Run
from streamapp.store import jobs as job_rows
from streamapp.store.chunks import begin_step, complete_steps, results_of, store_result
from streamapp.store.database import Database
from streamapp.store.schema import chunks, clock, jobs
from tests.unit.store.rows import fly, key, land, put, reserved, row_of, rows_of, running, some_chunks


def counted(database: Database, run: Run) -> tuple[int, int, int, int]:
    """Done, total, unfinished, waiting."""
    row = row_of(database, jobs, id=run.job)
    return row.done, row.total, row.unfinished, row.waiting


def test_a_step_begins_once(database: Database) -> None:
    """I expect its chunks to be inserted once, and the second who tries to be told."""
    run = reserved(database)
    assert database.write_sync(begin_step, run, None, 0, some_chunks(3)) is True
    assert database.write_sync(begin_step, run, None, 0, some_chunks(3)) is False
    assert row_of(database, jobs, id=run.job).status == "running"
    assert counted(database, run) == (0, 6, 3, 3)
    assert len(rows_of(database, chunks)) == 3


def test_the_next_step_replaces_the_chunks(database: Database) -> None:
    """I expect the older step's chunks to be gone, and the items counted over both."""
    run = running(database, chunks=2)
    land(database, fly(database, 2))
    assert database.write_sync(begin_step, run, 0, 1, some_chunks(1)) is True
    assert database.write_sync(begin_step, run, 0, 1, some_chunks(1)) is False
    assert counted(database, run) == (4, 6, 1, 1)
    assert [row.step for row in rows_of(database, chunks)] == [1]


@pytest.mark.parametrize("status", ["cancelled", "failed", "expired", "succeeded"])
def test_an_ended_job_begins_nothing(database: Database, status: str) -> None:
    """I expect no chunks for a job that ended between being planned and being stored."""
    run = reserved(database)
    assert database.write_sync(job_rows.end, run, status)
    assert database.write_sync(begin_step, run, None, 0, some_chunks(3)) is False
    assert rows_of(database, chunks) == []


def test_a_result_is_stored_once(database: Database) -> None:
    """I expect the first outcomes to stand, and the counts to move once."""
    run = running(database, chunks=2)
    fly(database, 2)
    assert not database.write_sync(store_result, key(run, 0), b"[1]")
    assert not database.write_sync(store_result, key(run, 0), b"[2]")
    assert counted(database, run) == (2, 4, 1, 0)
    assert row_of(database, chunks, chunk=0).outcomes == b"[1]"


def test_the_last_result_completes_the_step_each_time(database: Database) -> None:
    """I expect the last one, and one that comes twice after it, to say that the step is complete."""
    run = running(database, chunks=2)
    fly(database, 2)
    assert not database.write_sync(store_result, key(run, 1), b"[]")
    assert database.write_sync(store_result, key(run, 0), b"[]")
    assert database.write_sync(store_result, key(run, 1), b"[]")


def test_a_result_may_come_before_its_credit(database: Database) -> None:
    """I expect it to count, and the chunk never to fly."""
    run = running(database, chunks=1)
    assert database.write_sync(store_result, key(run, 0), b"[]")
    assert counted(database, run) == (2, 2, 0, 0)
    assert fly(database, 5) == []


def test_what_belongs_elsewhere_changes_nothing(database: Database) -> None:
    """I expect results of another run, step, predictor, chunk or job to be dropped."""
    run = running(database, chunks=1)
    before = (counted(database, run), rows_of(database, chunks))
    elsewhere = [
        key(Run("anna", run.job, 2), 0),
        key(run, 0, step=1),
        key(run, 0, predictor="another"),
        key(run, 7),
        key(Run("ben", run.job, 1), 0),
        key(Run("anna", "no such job", 1), 0),
    ]
    assert [database.write_sync(store_result, each, b"[]") for each in elsewhere] == [None] * 6
    assert (counted(database, run), rows_of(database, chunks)) == before


def test_a_past_step_s_result_does_not_complete_the_next(database: Database) -> None:
    """I expect a late result of step 0 to say nothing while step 1 is at work."""
    run = running(database, chunks=1)
    land(database, fly(database, 1))
    database.write_sync(begin_step, run, 0, 1, some_chunks(1))
    assert not database.write_sync(store_result, key(run, 0, step=0), b"[]")
    assert counted(database, run) == (2, 4, 1, 1)


def test_a_late_result_of_an_ended_job(database: Database) -> None:
    """I expect a cancelled job to stay as it was, without chunks."""
    run = running(database, chunks=2)
    fly(database, 2)
    assert database.write_sync(job_rows.end, run, "cancelled", "its owner says so")
    assert not database.write_sync(store_result, key(run, 0), b"[]")
    assert row_of(database, jobs, id=run.job).status == "cancelled"
    assert rows_of(database, chunks) == []


def test_results_come_in_split_order(database: Database) -> None:
    """I expect the rows by chunk whatever order their results came in, and of this step alone."""
    run = running(database, chunks=12)
    fly(database, 12)
    for number in (11, 0, 5, 10, 2, 1, 3, 4, 9, 8, 7, 6):
        database.write_sync(store_result, key(run, number), str(number).encode())
    rows = database.read_sync(results_of, run, 0)
    assert [row.outcomes for row in rows] == [str(number).encode() for number in range(12)]
    assert database.read_sync(results_of, run, 1) == []


def test_a_terminal_state_never_changes(database: Database) -> None:
    """I expect the first end to stand, whatever is tried after it."""
    run = running(database)
    assert database.write_sync(job_rows.end, run, "succeeded") is True
    for status in ("cancelled", "failed", "expired", "succeeded"):
        assert database.write_sync(job_rows.end, run, status, "late") is False
    row = row_of(database, jobs, id=run.job)
    assert (row.status, row.error) == ("succeeded", None)
    assert row.done == row.total


def test_an_older_run_ends_nothing(database: Database) -> None:
    """I expect an end that names another run to change nothing."""
    run = running(database)
    assert database.write_sync(job_rows.end, Run(run.tenant, run.job, 2), "failed") is False
    assert database.read_sync(job_rows.get, Run(run.tenant, run.job, 2)) is None
    assert database.read_sync(job_rows.is_running, run, 0) is True


def test_complete_steps_are_found_after_the_grace(database: Database) -> None:
    """I expect a step whose last result came a while ago, and none that someone may still be at."""
    run, unfinished = running(database, chunks=1), running(database, chunks=1)
    database.write_sync(store_result, key(run, 0), b"[]")
    assert database.read_sync(complete_steps, 5.0, 10) == []
    put(database, chunks, {"job": run.job}, stored_at=clock() - 6.0)
    (row,) = database.read_sync(complete_steps, 5.0, 10)
    assert (row.id, row.step) == (run.job, 0)
    assert row.id != unfinished.job


def test_overdue_jobs(database: Database) -> None:
    """I expect those past their deadline, queued or running, and those that run for too long, and no others."""
    late = reserved(database, deadline=1.0)
    late_running = running(database, deadline=1.0)
    endless = running(database)
    put(database, jobs, {"id": endless.job}, started_at=clock() - 101.0)
    reserved(database, deadline=4e9)
    running(database)
    ended = running(database, deadline=1.0)
    database.write_sync(job_rows.end, ended, "succeeded")
    found = {row.id: bool(row.late) for row in database.read_sync(job_rows.overdue, 100.0, 10)}
    assert found == {late.job: True, late_running.job: True, endless.job: False}
