"""The janitor, backpressure, lifetimes and the reservation that travels with a job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from streamapp.documents.claim import Blobs
from streamapp.errors import BadDocument, StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import janitor as module
from streamapp.jobs.janitor import Janitor
from streamapp.jobs.lifetimes import OFFSETS_DAYS, Lifetimes
from streamapp.jobs.pressure import Pressure
from streamapp.jobs.reservation import MOST_BYTES, job_message, read_reservation
from streamapp.models import Job
from streamapp.settings import DAY_S, Settings
from streamapp.store import jobs
from streamapp.store.database import Database
from streamapp.store.reservations import with_reservations
from streamapp.store.schema import clock
from streamapp.store.schema import jobs as job_rows
from streamapp.store.upkeep import dead_letters as letter_rows
from streamapp.store.upkeep import tombstones
from streamapp.topics import DEAD_LETTER_DAYS, specs
from streamapp.wire import decode
from tests.unit.store.rows import new_job, put, reserved, row_of, rows_of


def settings(home: Path, **fields: Any) -> Settings:
    """Settings of that home."""
    return Settings(home=home, **fields)


def ended(database: Database, blobs: Blobs, days_ago: float) -> Run:
    """A job with a document of its own that ended so long ago."""
    run = reserved(database, document=blobs.put(f"documents/{days_ago}", b"x" * 10_000))
    database.write_sync(jobs.end, run, "failed")
    put(database, job_rows, {"id": run.job}, finished_at=clock() - days_ago * DAY_S)
    return run


async def test_the_janitor_removes_documents_and_jobs(database: Database, tmp_path: Path) -> None:
    """I expect both of the old jobs to be gone with their documents, the young one to stay, and a pause then."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    janitor = Janitor(database, blobs, Lifetimes.of(settings(tmp_path)))
    old, young = [ended(database, blobs, days) for days in (31.0, 32.0)], ended(database, blobs, 29.0)
    documents = {run: row_of(database, job_rows, id=run.job).document for run in (*old, young)}
    await janitor.tidy()
    assert [row.id for row in rows_of(database, job_rows)] == [young.job]
    assert len(rows_of(database, tombstones)) == 2
    blobs.open(documents[young]).close()
    for run in old:
        with pytest.raises(BadDocument):
            blobs.open(documents[run])
    late = ended(database, blobs, 33.0)
    await janitor.tidy()
    assert row_of(database, job_rows, id=late.job).status == "failed"


async def test_the_janitor_goes_on_where_it_was_killed(database: Database, tmp_path: Path) -> None:
    """I expect a job whose document went before the crash to be removed the next time."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    run = ended(database, blobs, 31.0)
    blobs.delete(row_of(database, job_rows, id=run.job).document)
    await Janitor(database, blobs, Lifetimes.of(settings(tmp_path))).tidy()
    assert rows_of(database, job_rows) == []


async def test_a_round_has_an_end(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what is left after a round's time to be removed in the next one, which is due at once."""
    monkeypatch.setattr(module, "LONGEST_S", 0.0)
    monkeypatch.setattr(module, "JOBS", 1)
    blobs = Blobs((tmp_path / "blobs").as_uri())
    janitor = Janitor(database, blobs, Lifetimes.of(settings(tmp_path)))
    for days in (31.0, 32.0):
        ended(database, blobs, days)
    monkeypatch.setattr(module, "LONGEST_S", 1e-9)
    await janitor.tidy()
    first = len(rows_of(database, job_rows))
    monkeypatch.setattr(module, "LONGEST_S", 10.0)
    await janitor.tidy()
    assert first <= 2
    assert rows_of(database, job_rows) == []


async def test_kept_for_ever(database: Database, tmp_path: Path) -> None:
    """I expect 0 to remove nothing."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    run = ended(database, blobs, 10_000.0)
    await Janitor(database, blobs, Lifetimes.of(settings(tmp_path, keep_jobs_days=0))).tidy()
    assert row_of(database, job_rows).id == run.job


def test_the_order_of_lifetimes(tmp_path: Path) -> None:
    """I expect topics ≤ the embedded broker's offsets < tombstones, topics ≤ jobs, for all that may be set."""
    for days in (1.0, 7.0, 30.0):
        given = settings(tmp_path, topic_days=days, keep_jobs_days=30)
        lifetimes = Lifetimes.of(given)
        longest_s = max(spec.retention_ms for spec in specs(given, ["echo"])) / 1000
        assert longest_s == DEAD_LETTER_DAYS * DAY_S
        assert longest_s < OFFSETS_DAYS * DAY_S
        assert lifetimes.topics_s + OFFSETS_DAYS * DAY_S < lifetimes.tombstones_s
        assert lifetimes.jobs_s is not None
        assert lifetimes.topics_s <= lifetimes.jobs_s
        lifetimes.offsets_s = 2 * OFFSETS_DAYS * DAY_S
        assert lifetimes.tombstones_s > lifetimes.offsets_s + lifetimes.topics_s


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"keep_jobs_days": 3}, "STREAMAPP_KEEP_JOBS_DAYS"),
        ({"topic_days": 10, "keep_jobs_days": 9}, "STREAMAPP_KEEP_JOBS_DAYS"),
        ({"topic_days": 1, "job_timeout_s": 50_000}, "STREAMAPP_JOB_TIMEOUT_S"),
    ],
)
def test_a_wrong_order_is_refused(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    """I expect a sentence that names what is shorter than what it must outlive."""
    with pytest.raises(ValidationError, match=words):
        settings(tmp_path, **fields)


async def test_old_work_closes_the_intake(database: Database, tmp_path: Path) -> None:
    """I expect a reason once the oldest message is older than half of the topics' time, and none before and after."""
    pressure = Pressure(database, settings(tmp_path, topic_days=2))
    run = reserved(database)
    for days_ago, closed in ((0.9, False), (1.1, True), (0.9, False)):
        put(database, job_rows, {"id": run.job}, published_at=clock() - days_ago * DAY_S)
        await pressure.look()
        assert (pressure.reason is not None) is closed
    put(database, job_rows, {"id": run.job}, published_at=clock() - 1.1 * DAY_S)
    letter = {"source": "s", "state": "open", "reason": "bad", "attempts": 1, "first_seen": 1.0, "last_seen": 1.0}
    database.write_sync(
        lambda connection: connection.execute(letter_rows.insert().values(**letter, tenant=run.tenant, job=run.job))
    )
    await pressure.look()
    assert pressure.reason is None  # it was read, and waits for an operator


async def test_a_full_disk_closes_the_intake(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a reason that names the disk below the mark, none above it, and none where there is no mark."""
    pressure, unmarked = (Pressure(database, settings(tmp_path, min_free_mb=mark)) for mark in (256, 0))
    usage = shutil.disk_usage(tmp_path)
    for mib, closed in ((257, False), (255, True), (257, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, mib=mib: usage._replace(free=mib << 20))
        await pressure.look()
        await unmarked.look()
        assert (pressure.reason is not None) is closed
        assert unmarked.reason is None
        if pressure.reason:
            assert str(tmp_path) in pressure.reason
            assert "255 MiB" in pressure.reason


async def test_a_store_that_is_away_changes_no_answer(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the last answer to stand."""
    pressure = Pressure(database, settings(tmp_path, min_free_mb=0))

    async def away(*_: Any) -> float:
        raise StoreUnavailable("away")

    monkeypatch.setattr(database, "read", away)
    pressure.reason = "as before"
    await pressure.look()
    assert pressure.reason == "as before"


def test_a_message_carries_what_was_accepted(database: Database) -> None:
    """I expect every field to come back from the wire, and a message without them to carry nothing."""
    given: dict[str, Any] = {"idempotency_key": "ké", "email": "a@b", "priority": -2, "deadline": 7.5, "name": "Ä"}
    new = new_job(**given, params='{"a": 1}', work_hash="w", content_hash="c", fresh=True)
    run = reserved(database, **{name: getattr(new, name) for name in type(new).__slots__ if name != "tenant"})
    row = database.read_sync(with_reservations, [run])[run]
    read = decode(Job, job_message(run, row).dumps())
    assert isinstance(read, Job)
    accepted = read_reservation(read)
    assert accepted is not None
    assert (accepted.new, accepted.run, accepted.created_at) == (new, 1, row.created_at)
    bare = decode(Job, job_message(run, None).dumps())
    assert isinstance(bare, Job)
    assert read_reservation(bare) is None


def test_what_is_too_large_travels_without(database: Database) -> None:
    """I expect a job with huge params to be publishable all the same."""
    run = reserved(database, params="x" * MOST_BYTES)
    row = database.read_sync(with_reservations, [run])[run]
    assert len(job_message(run, row).dumps()) < 1000


@pytest.mark.parametrize(
    "reservation",
    [{}, {"created_at": 1.0}, {"created_at": "1"}, {"created_at": 1.0, "task": 7, "params": "{}"}],
)
def test_what_is_no_reservation_is_not_guessed_at(reservation: dict[str, Any]) -> None:
    """I expect None."""
    assert read_reservation(Job("anna", "job", 1, reservation)) is None
