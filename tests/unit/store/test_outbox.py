"""What a crash left unpublished is found, and nothing else."""

from __future__ import annotations

from streamapp.identity import Run
from streamapp.models import WorkerBeat
from streamapp.store import inbox, ledger, outbox, workers
from streamapp.store import jobs as job_rows
from streamapp.store.database import Database
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.schema import inbox as lines
from streamapp.store.upkeep import workers as worker_rows
from tests.unit.store.rows import fly, key, land, put, reserved, row_of, rows_of, running


def test_unpublished_jobs(database: Database) -> None:
    """I expect queued jobs that are older than the grace and that the broker may not have."""
    left, young, published, planned = reserved(database), reserved(database), reserved(database), running(database)
    for run in (left, published, planned):
        put(database, jobs, {"id": run.job}, created_at=clock() - 6.0)
    database.write_sync(outbox.jobs_published, [published], [(0, 1)])
    assert [row.id for row in database.read_sync(outbox.unpublished_jobs, 5.0, 10)] == [left.job]
    assert young.job in {row.id for row in database.read_sync(outbox.unpublished_jobs, 0.0, 10)}
    database.write_sync(job_rows.end, left, "cancelled")
    assert database.read_sync(outbox.unpublished_jobs, 5.0, 10) == []


def test_unpublished_chunks(database: Database) -> None:
    """I expect flying chunks that the broker may not have, with what publishing needs."""
    run = running(database, chunks=4)
    rows = fly(database, 3)
    assert database.read_sync(outbox.unpublished_chunks, 5.0, 10) == []
    put(database, chunks, {"state": "flying"}, flying_at=clock() - 6.0)
    database.write_sync(outbox.chunks_published, [key(run, 0)], [(0, 1)])
    land(database, rows[1:2])
    (left,) = database.read_sync(outbox.unpublished_chunks, 5.0, 10)
    assert (left.chunk, left.document_size, left.payload) == (2, 5, b"[{},{}]")


def test_the_place_is_kept(database: Database) -> None:
    """I expect each row to say where its own message was put last, however many are noted at once."""
    run = running(database, chunks=300)
    fly(database, 300)
    keys = [key(run, number) for number in range(300)]
    database.write_sync(outbox.chunks_published, keys, [(number % 8, 10**10 + number) for number in range(300)])
    database.write_sync(outbox.chunks_published, keys[7:8], [(3, 99)])
    kept = {row.chunk: (row.sent_partition, row.sent_offset) for row in rows_of(database, chunks)}
    assert kept == {**{number: (number % 8, 10**10 + number) for number in range(300)}, 7: (3, 99)}
    assert all(row.published_at is not None for row in rows_of(database, chunks))

    queued = reserved(database)
    database.write_sync(outbox.jobs_published, [queued], [(5, 6)])
    row = row_of(database, jobs, id=queued.job)
    assert (row.sent_partition, row.sent_offset) == (5, 6)
    due = database.write_sync(ledger.enter, queued, "succeeded", "email", "r@example.org")
    database.write_sync(outbox.deliveries_published, [due], [(1, 2)])
    row = row_of(database, deliveries, id=due.id)
    assert (row.sent_partition, row.sent_offset) == (1, 2)


def test_a_notification_is_one_line_in_the_inbox(database: Database) -> None:
    """I expect a message that comes twice to give one line, and the delivery to be settled with it."""
    identity = database.write_sync(ledger.enter, Run("anna", "job", 1), "succeeded", "notification", "anna").id
    row = database.read_sync(ledger.get, identity)
    assert row is not None
    for _ in range(2):
        database.write_sync(inbox.deliver, row, "Done", "Your book is done.")
    (line,) = rows_of(database, lines)
    assert (line.tenant, line.job, line.title, line.read_at) == ("anna", "job", "Done", None)
    settled = row_of(database, deliveries)
    assert (settled.state, settled.attempts) == ("sent", 1)
    assert database.read_sync(inbox.unread, "anna") == 1
    first = database.write_sync(inbox.mark_read, "anna", line.id)
    again = database.write_sync(inbox.mark_read, "anna", line.id)
    assert first is not None
    assert first == again
    assert database.write_sync(inbox.mark_read, "ben", line.id) is None
    assert database.read_sync(inbox.unread, "anna") == 0


def test_all_lines_are_read_at_once(database: Database) -> None:
    """I expect those of the tenant alone, once, and with a line named none that came after it."""
    for tenant, job in (("anna", "a"), ("anna", "b"), ("ben", "c"), ("anna", "d")):
        identity = database.write_sync(ledger.enter, Run(tenant, job, 1), "succeeded", "notification", tenant).id
        row = database.read_sync(ledger.get, identity)
        assert row is not None
        database.write_sync(inbox.deliver, row, "Done", "Your book is done.")
    first, _, _, last = sorted(line.id for line in rows_of(database, lines))
    database.write_sync(inbox.mark_read, "anna", first)
    before = database.read_sync(inbox.newest, "anna", 9)[-1].read_at
    assert database.write_sync(inbox.mark_all_read, "anna", last - 1) == 1
    assert database.read_sync(inbox.unread, "anna") == 1
    assert database.write_sync(inbox.mark_all_read, "anna") == 1
    assert database.write_sync(inbox.mark_all_read, "anna") == 0
    assert database.read_sync(inbox.newest, "anna", 9)[-1].read_at == before
    assert (database.read_sync(inbox.unread, "anna"), database.read_sync(inbox.unread, "ben")) == (0, 1)


def test_workers_that_live(database: Database) -> None:
    """I expect those heard of lately, and those that said goodbye to be gone at once."""

    def beat(name: str, *, leaving: bool = False) -> WorkerBeat:
        return WorkerBeat(name, "host", 1, "cpu", ["model"], 10, 2, 0.5, leaving)

    for name in ("stays", "leaves", "silent", "forgotten", "stays"):
        database.write_sync(workers.heard, beat(name))
    put(database, worker_rows, {"id": "silent"}, seen_at=clock() - 11.0)
    put(database, worker_rows, {"id": "forgotten"}, seen_at=clock() - 3601.0)
    database.write_sync(workers.heard, beat("leaves", leaving=True))
    assert [row.id for row in database.read_sync(workers.alive)] == ["stays"]
    assert database.read_sync(workers.count) == 1
    database.write_sync(workers.heard, beat("stays"))
    assert {row.id for row in rows_of(database, worker_rows)} == {"stays", "silent"}
