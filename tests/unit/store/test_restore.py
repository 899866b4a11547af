"""A restored store gets from the topics what it does not know, and sends no e-mail that may have gone before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.identity import Run
from streamapp.store import decisions, jobs, ledger, outbox, restore
from streamapp.store.backup import back_up
from streamapp.store.database import Database
from streamapp.store.schema import clock, deliveries
from streamapp.store.schema import jobs as job_rows
from streamapp.store.upkeep import spoken_for, tombstones
from tests.unit.store.rows import new_job, put, reserved, row_of, rows_of


def buried(database: Database, job: str, key: str | None = None) -> None:
    """A tombstone."""
    stone = {"tenant": "anna", "job": job, "run": 1, "body_hash": "x", "idempotency_key": key, "status": "failed"}
    database.write_sync(lambda connection: connection.execute(insert(tombstones).values(**stone, removed_at=clock())))


def test_what_was_accepted_is_entered_again(database: Database) -> None:
    """I expect a queued, unpublished job with the run and the time it had, once."""
    new = new_job(idempotency_key="a key", email="anna@example.com", priority=2)
    assert database.write_sync(restore.enter_again, new, 3, 12.5) == "entered"
    assert database.write_sync(restore.enter_again, new, 3, 12.5) == "known"
    row = row_of(database, job_rows)
    assert (row.id, row.run, row.created_at, row.status) == (new.id, 3, 12.5, "queued")
    assert (row.published_at, row.idempotency_key, row.email, row.priority) == (None, "a key", "anna@example.com", 2)
    assert [each.id for each in database.read_sync(outbox.unpublished_jobs, 5.0, 10)] == [new.id]


def test_what_the_store_knows_stays_as_it_is(database: Database) -> None:
    """I expect an ended job, a removed one and one whose key another has to be left alone."""
    ended = reserved(database, idempotency_key="taken")
    database.write_sync(jobs.end, ended, "cancelled")
    buried(database, "job-removed")
    read = [
        (new_job(id=ended.job), 1, 1.0),
        (new_job(id="job-removed"), 1, 1.0),
        (new_job(idempotency_key="taken"), 1, 1.0),
        (new_job(), 1, 1.0),
    ]
    done = database.write_sync(restore.enter_all, read)
    assert done == {"known": 1, "removed": 1, "key taken": 1, "entered": 1}
    assert row_of(database, job_rows, id=ended.job).status == "cancelled"


def test_a_store_knows_a_job(database: Database) -> None:
    """I expect it to know what it has, has removed, or has another for; and nothing else, with or without keys."""
    keyless, keyed = reserved(database), reserved(database, idempotency_key="a key")
    buried(database, "job-removed", "an old key")
    for known in (
        new_job(id=keyless.job),
        new_job(id=keyed.job),
        new_job(idempotency_key="a key"),
        new_job(id="job-removed"),
        new_job(idempotency_key="an old key"),
    ):
        assert database.read_sync(restore.knows, known)
    for unknown in (new_job(), new_job(idempotency_key="another"), new_job("ben", id=keyless.job)):
        assert not database.read_sync(restore.knows, unknown)


def entered(database: Database, job: str, kind: str = "email", **values: object) -> str:
    """A delivery in that state."""
    due = database.write_sync(ledger.enter, Run("anna", job, 1), "succeeded", kind, "anna@example.com")
    if values:
        put(database, deliveries, {"id": due.id}, **values)
    return due.id


def state(database: Database, identity: str) -> str:
    """The delivery's."""
    return str(row_of(database, deliveries, id=identity).state)


def test_e_mails_that_a_topic_names_are_parked(database: Database) -> None:
    """I expect what this store would send to be parked, and what it knows as sent, dead or parked to stay so."""
    before = {each: entered(database, each, state=each) for each in ("pending", "sending", "sent", "dead", "parked")}
    other = entered(database, "other")
    assert database.write_sync(restore.speak_for, [*before.values(), "unknown"]) == 2
    assert database.write_sync(restore.speak_for, list(before.values())) == 0
    after = {each: state(database, identity) for each, identity in before.items()}
    assert after == {"pending": "parked", "sending": "parked", "sent": "sent", "dead": "dead", "parked": "parked"}
    assert state(database, other) == "pending"
    assert len(rows_of(database, spoken_for)) == 6


def test_an_e_mail_that_is_spoken_for_is_entered_parked(database: Database) -> None:
    """I expect a job that ends again to park its e-mail, and to give its notification; a command sends it after all."""
    identity = entered(database, "probe")
    database.write_sync(lambda connection: connection.execute(deliveries.delete()))
    database.write_sync(restore.speak_for, [identity])
    assert entered(database, "probe") == identity
    assert state(database, identity) == "parked"
    assert state(database, entered(database, "probe", "notification")) == "pending"
    assert database.write_sync(decisions.settle_resend, identity)
    assert database.write_sync(ledger.claim, identity, "token", 60.0, "resend") is not None


def test_e_mails_under_way_at_the_backup_are_parked(database: Database) -> None:
    """I expect those asked for or being sent to be parked; those that nobody was asked to send go out."""
    asked = entered(database, "asked", published_at=1.0)
    at_it = entered(database, "at it", state="sending", published_at=1.0, lease_until=5.0, lease_owner="dead")
    waits = entered(database, "waits")
    notice = entered(database, "notice", "notification", published_at=1.0)
    assert database.write_sync(restore.park_under_way) == 2
    found = [state(database, each) for each in (asked, at_it, waits, notice)]
    assert found == ["parked", "parked", "pending", "pending"]


def test_a_backup_is_a_store_of_one_moment(database: Database, tmp_path: Path) -> None:
    """I expect one checked file for its owner only, with what was committed, made beside an open writer."""
    run, file = reserved(database), tmp_path / "copy.db"
    with database.connection() as open_one:
        open_one.execute(job_rows.update().values(status="failed"))
        size = back_up(database.url, file)
    assert size == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.glob("copy*")) == ["copy.db"]
    with closing(sqlite3.connect(file)) as copy:
        assert copy.execute("SELECT id, status FROM jobs").fetchall() == [(run.job, "queued")]


def test_a_backup_overwrites_nothing(database: Database, tmp_path: Path) -> None:
    """I expect a sentence for a file that is there, another kind of database, no store, no folder; and nothing left."""
    (tmp_path / "there").write_text("precious")
    with pytest.raises(ConfigurationError, match="is there already"):
        back_up(database.url, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "precious"
    with pytest.raises(ConfigurationError, match="pg_dump"):
        back_up("postgresql+psycopg://host/name", tmp_path / "copy")
    with pytest.raises(ConfigurationError, match="no store"):
        back_up(f"sqlite:///{tmp_path}/nowhere.db", tmp_path / "copy")
    with pytest.raises(StoreUnavailable, match="failed"):
        back_up(database.url, tmp_path / "no folder" / "copy")
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 32)
    with pytest.raises(StoreUnavailable):
        back_up(f"sqlite:///{tmp_path}/bad.db", tmp_path / "copy")
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("copy")) == []
