"""What is remembered, for whom, for how long and how much of it; and what a remembered step counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from streamapp.identity import Run
from streamapp.store import jobs as job_rows
from streamapp.store import memory, reports
from streamapp.store.chunks import begin_step, results_of, store_result
from streamapp.store.database import Database
from streamapp.store.memory import Recalled
from streamapp.store.newchunk import NewChunk
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.upkeep import remembered
from streamapp.tasks.contract import Attachment, Plot, Report
from tests.unit.store.rows import fly, key, put, reserved, row_of, rows_of, some_chunks

WEEK_S = 7 * 24 * 3600.0
REPORT = Report(
    subject="S",
    text="T",
    html="<p>T</p>",
    data={"a": [1]},
    plot=Plot(png=b"png", alt="A plot"),
    attachments=[Attachment(name="a.bin", media_type="application/octet-stream", content=b"\0\xff")],
)


def known_chunks(count: int, size: int = 2) -> list[NewChunk]:
    """Chunks that have a digest each."""
    return [
        dataclasses.replace(each, version="1", digest=f"digest-{each.chunk}") for each in some_chunks(count, size=size)
    ]


def enter(database: Database, digest: str, tenant: str = "anna", outcomes: bytes = b"[1]") -> None:
    """Remember a result."""
    database.write_sync(memory.enter, tenant, digest, "model", outcomes)


def recall(database: Database, *digests: str, tenant: str = "anna", within_s: float = WEEK_S) -> dict[str, bytes]:
    """The outcomes that are remembered."""
    found = database.read_sync(memory.recall, tenant, digests, within_s)
    return {digest: result.outcomes for digest, result in found.items()}


def done(database: Database, work_hash: str = "work", tenant: str = "anna", **fields: Any) -> Run:
    """A job that succeeded with a report."""
    run = reserved(database, tenant, work_hash=work_hash, **fields)
    assert database.write_sync(job_rows.end, run, "succeeded", total=7, done=7)
    database.write_sync(reports.keep, run, REPORT)
    return run


def source(database: Database, work_hash: str = "work", tenant: str = "anna", within_s: float = WEEK_S) -> str | None:
    """The id of the job whose report answers that work."""
    row = database.read_sync(memory.source_of, tenant, work_hash, within_s)
    return None if row is None else str(row.id)


def test_a_result_comes_back_to_its_tenant_alone(database: Database) -> None:
    """I expect the digests that are known of those asked for, and nothing for anybody else."""
    enter(database, "one")
    enter(database, "two", outcomes=b"[2]")
    assert recall(database, "one", "two", "three") == {"one": b"[1]", "two": b"[2]"}
    assert recall(database, "one", "two", tenant="berta") == {}


def test_more_digests_than_fit_a_statement(database: Database) -> None:
    """I expect all of them to be found."""
    names = [f"digest-{number}" for number in range(2 * memory.AT_ONCE + 1)]
    for name in names:
        enter(database, name)
    assert recall(database, *names).keys() == set(names)


def test_a_result_has_its_time(database: Database) -> None:
    """I expect one to be known until it is older than asked for, however lately it was used."""
    enter(database, "one")
    put(database, remembered, {"digest": "one"}, made_at=clock() - 100)
    database.write_sync(memory.used, "anna", ["one"])
    assert recall(database, "one", within_s=110) != {}
    assert recall(database, "one", within_s=90) == {}


def test_the_newer_result_stands(database: Database) -> None:
    """I expect what was computed anew to replace what was remembered, with its time."""
    enter(database, "one")
    put(database, remembered, {"digest": "one"}, made_at=clock() - 100)
    enter(database, "one", outcomes=b"[22]")
    assert recall(database, "one", within_s=50) == {"one": b"[22]"}
    assert row_of(database, remembered).bytes == 4 + memory.OVERHEAD


def test_what_is_old_is_forgotten_a_little_at_a_time(database: Database) -> None:
    """I expect at most so many rows at once, and the young ones to stay."""
    for number in range(5):
        enter(database, f"old-{number}")
    put(database, remembered, {}, made_at=clock() - 100)
    enter(database, "young")
    assert [database.write_sync(memory.forget_old, 90, 3) for _ in range(3)] == [3, 2, 0]
    assert [row.digest for row in rows_of(database, remembered)] == ["young"]


def test_what_is_too_much_is_forgotten_by_its_use(database: Database) -> None:
    """I expect those to go first that were not used for the longest, no more than needed, and of that tenant alone."""
    each = 100 + memory.OVERHEAD
    for number, digest in enumerate("abcd"):
        enter(database, digest, outcomes=b"x" * 100)
        enter(database, digest, tenant="berta", outcomes=b"x" * 100)
        put(database, remembered, {"digest": digest}, used_at=clock() - 100 + number)
    database.write_sync(memory.used, "anna", ["a"])
    assert database.read_sync(memory.sizes) == {"anna": 4 * each, "berta": 4 * each}
    assert database.write_sync(memory.forget_some, "anna", each + 1, 10) == 2 * each
    assert sorted(row.digest for row in rows_of(database, remembered, tenant="anna")) == ["a", "d"]
    assert database.write_sync(memory.forget_some, "anna", 2 * each, 1) == each
    assert database.read_sync(memory.sizes) == {"anna": each, "berta": 4 * each}


@pytest.mark.parametrize(("version", "kept"), [("1", True), ("2", False), (None, False)])
def test_a_result_of_the_planned_version_is_remembered(database: Database, version: str | None, kept: bool) -> None:
    """I expect a result with errors, and another version's, to be neither remembered nor lent as a report."""
    run = reserved(database, work_hash="work")
    database.write_sync(begin_step, run, None, 0, known_chunks(1))
    fly(database, 1)
    assert database.write_sync(store_result, key(run, 0), b"[1,2]", version)
    assert recall(database, "digest-0") == ({"digest-0": b"[1,2]"} if kept else {})
    assert row_of(database, jobs, id=run.job).work_hash == ("work" if kept else None)


def test_a_result_without_a_digest_is_not_remembered(database: Database) -> None:
    """I expect a predictor that wants to be asked each time to be asked, and its job to be let be."""
    run = reserved(database)
    database.write_sync(begin_step, run, None, 0, [dataclasses.replace(each, digest=None) for each in known_chunks(1)])
    assert database.write_sync(store_result, key(run, 0), b"[1,2]", "1")
    assert rows_of(database, remembered) == []


def test_a_step_that_is_half_remembered(database: Database) -> None:
    """I expect the known chunks to be stored and counted as done, and the others alone to wait and to fly."""
    run = reserved(database)
    recalled = {"digest-0": Recalled(b"[1,2]", 50.0), "digest-2": Recalled(b"[3,4]", 40.0)}
    assert database.write_sync(begin_step, run, None, 0, known_chunks(4), recalled)
    row = row_of(database, jobs, id=run.job)
    assert (row.unfinished, row.waiting, row.done, row.total) == (2, 2, 4, 8)
    assert (row.remembered, row.remembered_at) == (4, 40.0)
    assert [each.chunk for each in fly(database, 9)] == [1, 3]
    assert not database.write_sync(store_result, key(run, 0), b"[9,9]", "1")  # comes late, and changes nothing
    assert not database.write_sync(store_result, key(run, 1), b"[5,6]", "1")
    assert database.write_sync(store_result, key(run, 3), b"[7,8]", "1")
    stored = database.read_sync(results_of, run, 0)
    assert [each.outcomes for each in stored] == [b"[1,2]", b"[5,6]", b"[3,4]", b"[7,8]"]


def test_a_step_that_is_all_remembered(database: Database) -> None:
    """I expect it to be complete, with a time by which a sweep finds it; a later step keeps the oldest time."""
    run = reserved(database)
    for step, before, made_at in ((0, None, 50.0), (1, 0, 60.0)):
        recalled = {each.digest: Recalled(b"[1,2]", made_at) for each in known_chunks(2) if each.digest}
        assert database.write_sync(begin_step, run, before, step, known_chunks(2), recalled)
        row = row_of(database, jobs, id=run.job)
        assert (row.unfinished, row.waiting, row.remembered, row.remembered_at) == (0, 0, 4 * (step + 1), 50.0)
        assert all(each.stored_at for each in rows_of(database, chunks, job=run.job))
        assert fly(database, 9) == []


def test_using_a_result_is_noted(database: Database) -> None:
    """I expect what answered a step just now to be the last that is forgotten."""
    enter(database, "digest-0")
    put(database, remembered, {}, used_at=5.0)
    run = reserved(database)
    found = database.read_sync(memory.recall, "anna", ["digest-0"], WEEK_S)
    database.write_sync(begin_step, run, None, 0, known_chunks(1), found)
    assert row_of(database, remembered).used_at > 5.0


def test_whose_report_answers(database: Database) -> None:
    """I expect the newest success of the same work by the same tenant, and no other job."""
    assert source(database) is None
    old, new = done(database), done(database)
    put(database, jobs, {"id": old.job}, finished_at=clock() - 50)
    done(database, work_hash="other")
    done(database, tenant="berta", work_hash="of berta")
    database.write_sync(job_rows.end, reserved(database, work_hash="failed"), "failed")
    reserved(database, work_hash="queued")
    assert source(database) == new.job
    assert source(database, within_s=-1) is None
    assert source(database, tenant="berta") is None
    assert [source(database, name) for name in ("of berta", "failed", "queued")] == [None] * 3


def test_a_report_that_was_remembered_grows_old_all_the_same(database: Database) -> None:
    """I expect its time to count from when it was computed, not from when it was last given."""
    run = done(database)
    put(database, jobs, {"id": run.job}, remembered_at=clock() - 100)
    assert source(database, within_s=110) == run.job
    assert source(database, within_s=90) is None


def test_the_beginning_of_a_file(database: Database) -> None:
    """I expect the first bytes of the plot and of an attachment, or all, and none of what is not there."""
    run = done(database)
    heads = [database.read_sync(reports.head_of, run, *place) for place in ((0, 2), (1, 1), (0, 10_000), (9, 4))]
    assert heads == [b"pn", b"\0", b"png", b""]


def test_a_report_is_copied_whole(database: Database) -> None:
    """I expect text, data, plot and attachments to be the same, and False where there is none to copy."""
    run, without = done(database), reserved(database)
    assert database.write_sync(reports.copy, run, without)
    assert database.read_sync(reports.load, without) == REPORT == database.read_sync(reports.load, run)
    assert not database.write_sync(reports.copy, Run("berta", run.job, run.run), Run("berta", "job", 1))
