"""Which rows may have lost their message, by where it was put and what was read."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from streamapp.identity import Run
from streamapp.store import dead_letters, ledger, outbox, suspects
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.suspects import Read, Suspect, What
from streamapp.store.upkeep import dead_letters as letter_rows
from tests.unit.store.rows import fly, key, land, put, reserved, row_of, running

JOBS, CHUNKS, EMAILS = What("job", "t.jobs"), What("chunk", "t.chunks", "model"), What("delivery", "t.email", "email")
READS = {0: Read(start=10, done=20, end=30), 1: Read(start=0, done=0, end=2**40), 3: Read(start=10, done=4, end=30)}
ALL_DONE = {0: Read(start=0, done=10**6, end=10**6)}


def seen(database: Database, what: What, reads: Mapping[int, Read]) -> list[Suspect]:
    """The suspects."""
    return database.read_sync(suspects.suspects, what, reads, 100)


@pytest.mark.parametrize(
    ("partition", "offset", "suspect"),
    [
        (0, 20, False),  # the next to be read
        (0, 29, False),  # the last one
        (0, 19, True),  # read, and the job waits all the same
        (0, 30, True),  # the broker has no such message
        (0, 9, True),  # deleted
        (1, 0, False),
        (1, 2**40 - 1, False),
        (1, 2**40, True),
        (2, 0, True),  # there is no such partition
        (3, 9, True),  # deleted before it was read
        (3, 10, False),
    ],
)
def test_what_waits_is_no_suspect(database: Database, partition: int, offset: int, suspect: bool) -> None:
    """I expect a message between what is done and the end to be waited for, and any other not to be."""
    queued, started = reserved(database), running(database, chunks=1)
    fly(database, 1)
    due = database.write_sync(ledger.enter, queued, "succeeded", "email", "a@example.org")
    database.write_sync(outbox.jobs_published, [queued], [(partition, offset)])
    database.write_sync(outbox.chunks_published, [key(started, 0)], [(partition, offset)])
    database.write_sync(outbox.deliveries_published, [due], [(partition, offset)])
    for what in (JOBS, CHUNKS, EMAILS):
        assert [each[1:3] for each in seen(database, what, READS)] == [(partition, offset)] * suspect


def test_only_open_rows_are_suspects(database: Database) -> None:
    """I expect rows that moved on, that are unpublished, or that are another topic's to be let be."""
    planned, unpublished = running(database, chunks=3), reserved(database)
    rows = fly(database, 3)
    keys = [key(planned, number) for number in range(3)]
    database.write_sync(outbox.chunks_published, keys[:2], [(0, 1), (0, 2)])
    land(database, rows[:1])
    assert [each.key[-1] for each in seen(database, CHUNKS, ALL_DONE)] == [1]
    assert seen(database, What("chunk", "t.other", "other"), ALL_DONE) == []
    assert seen(database, JOBS, ALL_DONE) == []
    put(database, jobs, {"id": unpublished.job}, published_at=clock())
    assert seen(database, JOBS, ALL_DONE) == [Suspect(("anna", unpublished.job, 1), -1, -1)]


def test_a_delivery_is_a_suspect_when_it_is_due(database: Database) -> None:
    """I expect one that waits for its next attempt to be let be, and one whose time has come to be looked for."""
    due = database.write_sync(ledger.enter, Run("anna", "job", 1), "succeeded", "email", "a@example.org")
    database.write_sync(outbox.deliveries_published, [due], [(0, 5)])
    put(database, deliveries, {"id": due.id}, next_attempt_at=clock() + 60.0)
    assert seen(database, EMAILS, ALL_DONE) == []
    put(database, deliveries, {"id": due.id}, next_attempt_at=clock() - 1.0)
    assert len(seen(database, EMAILS, ALL_DONE)) == 1
    assert seen(database, What("delivery", "t.notification", "notification"), ALL_DONE) == []
    put(database, deliveries, {"id": due.id}, state="sending")
    assert seen(database, EMAILS, ALL_DONE) == []


def letter(topic: str, partition: int, offset: int, run: Run | None) -> Letter:
    """An open dead letter."""
    tenant, job = (run.tenant, run.job) if run else (None, None)
    return Letter(topic, partition, offset, "no", 1.0, None, b"", tenant, job, None)


def test_what_is_buried_is_the_operator_s(database: Database) -> None:
    """I expect a job, a chunk or a delivery with an open dead letter to be let be until that is settled."""
    queued, started = reserved(database), running(database, chunks=1)
    fly(database, 1)
    due = database.write_sync(ledger.enter, queued, "succeeded", "email", "a@example.org")
    database.write_sync(outbox.jobs_published, [queued], [(0, 1)])
    database.write_sync(outbox.chunks_published, [key(started, 0)], [(0, 1)])
    database.write_sync(outbox.deliveries_published, [due], [(0, 1)])
    found = {what: seen(database, what, ALL_DONE) for what in (JOBS, CHUNKS, EMAILS)}
    assert [len(each) for each in found.values()] == [1, 1, 1]
    for buried in (letter("t.jobs", 0, 1, queued), letter("t.results", 0, 7, started), letter("t.email", 0, 1, None)):
        database.write_sync(dead_letters.note, buried)
    for what, before in found.items():
        assert seen(database, what, ALL_DONE) == []
        assert database.write_sync(suspects.forget, what, before) == 0
    put(database, letter_rows, {"state": "open"}, state="discarded")
    again = {what: seen(database, what, ALL_DONE) for what in found}
    assert [len(each) for each in again.values()] == [1, 1, 1]
    assert again[JOBS] != found[JOBS]  # it failed since: what was thought of it before counts for nothing
    assert again[CHUNKS] != found[CHUNKS]


def test_what_is_forgotten_is_unpublished(database: Database) -> None:
    """I expect the relay to find it, once, and one that was published again meanwhile to be let be."""
    first, second = reserved(database), reserved(database)
    database.write_sync(outbox.jobs_published, [first, second], [(0, 1), (0, 2)])
    lost = seen(database, JOBS, ALL_DONE)
    database.write_sync(outbox.jobs_published, [second], [(0, 8)])
    assert database.write_sync(suspects.forget, JOBS, lost) == 1
    assert database.write_sync(suspects.forget, JOBS, lost) == 0
    assert [row.id for row in database.read_sync(outbox.unpublished_jobs, 0.0, 10)] == [first.job]
    row = row_of(database, jobs, id=first.job)
    assert (row.published_at, row.sent_partition, row.sent_offset) == (None, None, None)


def test_what_has_no_place_is_forgotten_too(database: Database) -> None:
    """I expect rows of before places were kept to be suspects until they move on."""
    started = running(database, chunks=1)
    fly(database, 1)
    put(database, chunks, {"job": started.job}, published_at=clock())
    lost = seen(database, CHUNKS, READS)
    assert [each[1:3] for each in lost] == [(-1, -1)]
    assert database.write_sync(suspects.forget, CHUNKS, lost) == 1
    assert seen(database, CHUNKS, READS) == []


def test_whether_anything_is_open(database: Database) -> None:
    """I expect a store in which no row waits for a message to be seen as such."""

    def sent() -> bool:
        return database.read_sync(suspects.anything_sent)

    queued = reserved(database)
    assert not sent()
    database.write_sync(outbox.jobs_published, [queued], [(0, 1)])
    assert sent()
    put(database, jobs, {"id": queued.job}, status="running")
    assert not sent()
    due = database.write_sync(ledger.enter, queued, "succeeded", "email", "a@example.org")
    database.write_sync(outbox.deliveries_published, [due], [(0, 5)])
    assert sent()
