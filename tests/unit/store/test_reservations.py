"""The one moment at which work is accepted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.dialects import sqlite

from streamapp.store import reservations
from streamapp.store.database import Database
from streamapp.store.reservations import REMOVED, QueueLength, Reservation, reserve, reserve_all
from streamapp.store.schema import jobs
from tests.unit.store.rows import new_job, rows_of


def test_a_new_job_is_queued(database: Database) -> None:
    """I expect the job's first run in the queue, unpublished, and nothing counted yet."""
    reservation = database.write_sync(reserve, new_job(id="a", email="reader@example.org", priority=2))
    assert reservation.created
    assert reservation.same
    row = reservation.row
    assert (row.tenant, row.id, row.run, row.status) == ("anna", "a", 1, "queued")
    assert (row.email, row.priority, row.published_at) == ("reader@example.org", 2, None)
    assert (row.step, row.done, row.total, row.unfinished, row.waiting) == (0, 0, 0, 0, 0)


def test_the_same_id_again(database: Database) -> None:
    """I expect the job that is there, and to be told whether its body is the one just sent."""
    first = database.write_sync(reserve, new_job(id="a"))
    again = database.write_sync(reserve, new_job(id="a"))
    other = database.write_sync(reserve, new_job(id="a", body_hash="another body"))
    assert (again.created, again.same, again.row.created_at) == (False, True, first.row.created_at)
    assert (other.created, other.same) == (False, False)
    assert len(rows_of(database, jobs)) == 1


def test_the_same_key_again(database: Database) -> None:
    """I expect the job that the key named first, whatever new id comes with it."""
    database.write_sync(reserve, new_job(id="a", idempotency_key="k"))
    again = database.write_sync(reserve, new_job(id="b", idempotency_key="k"))
    other = database.write_sync(reserve, new_job(id="c", idempotency_key="k", body_hash="another body"))
    assert (again.created, again.same, again.row.id) == (False, True, "a")
    assert (other.created, other.same, other.row.id) == (False, False, "a")
    assert len(rows_of(database, jobs)) == 1


def test_tenants_share_neither_ids_nor_keys(database: Database) -> None:
    """I expect a job for each tenant under the same id and key."""
    mine = database.write_sync(reserve, new_job("anna", id="a", idempotency_key="k"))
    theirs = database.write_sync(reserve, new_job("ben", id="a", idempotency_key="k", body_hash="another body"))
    assert mine.created
    assert theirs.created
    assert theirs.row.tenant == "ben"


def test_no_key_names_nothing(database: Database) -> None:
    """I expect as many jobs as submissions without a key."""
    assert all(database.write_sync(reserve, new_job()).created for _ in range(3))


def test_a_race_for_one_key_has_one_winner(database: Database) -> None:
    """I expect sixteen requests at once to give one job, which every one of them is told."""

    def submit(number: int) -> Reservation:
        body = "one body" if number % 2 else "another body"
        return database.write_sync(reserve, new_job(idempotency_key="k", body_hash=body))

    with ThreadPoolExecutor(8) as threads:
        reservations = list(threads.map(submit, range(16)))
    (winner,) = [each for each in reservations if each.created]
    assert {each.row.id for each in reservations} == {winner.row.id}
    assert sum(each.same for each in reservations) == 8


def test_what_nobody_can_have_named(database: Database) -> None:
    """I expect a job with an id of our own to be given back as it stands in the store, to the last column."""
    fields: dict[str, Any] = {"email": "reader@example.org", "deadline": 1e10, "work_hash": "w", "fresh": True}
    unnamed, named = [new_job(id=id, named=id == "b", **fields) for id in "ab"]
    made = database.write_sync(reserve_all, [unnamed, named])
    assert all(isinstance(each, Reservation) and each.created and each.same for each in made)
    for row, reservation in zip(rows_of(database, jobs), made, strict=True):
        assert isinstance(reservation, Reservation)
        assert row._asdict() == {name: getattr(reservation.row, name) for name in jobs.c.keys()}  # noqa: SIM118


def test_a_place_in_the_queue(database: Database) -> None:
    """I expect each to be told how many are before it, and itself."""
    queue = QueueLength()
    for before in (0, 2):
        made = database.write_sync(reserve_all, [new_job(named=False), new_job()], queue=queue)
        assert [each.position for each in made if isinstance(each, Reservation)] == [before + 1, before + 2]
    database.write_sync(lambda connection: connection.execute(update(jobs).values(status="running")))
    (made_then,) = database.write_sync(reserve_all, [new_job()], queue=queue)
    assert isinstance(made_then, Reservation)
    assert made_then.position == 1


def test_a_long_queue_is_not_counted_each_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what joins to be added meanwhile, and the length to be right again after a second."""
    monkeypatch.setattr(reservations, "LONG", 2)
    monkeypatch.setattr(reservations, "COUNTED_S", 3600.0)
    queue = QueueLength()
    database.write_sync(reserve_all, [new_job() for _ in range(3)], queue=queue)
    database.write_sync(lambda connection: connection.execute(update(jobs).values(status="running")))
    assert database.read_sync(queue.read) == 3
    monkeypatch.setattr(reservations, "COUNTED_S", 0.0)
    assert database.read_sync(queue.read) == 0


def test_tombstones_are_found_by_index(database: Database) -> None:
    """I expect no scan of them for each reservation: they are kept for days."""
    if not database.sqlite:
        pytest.skip("the plan is SQLite's")
    query = REMOVED.params(tenants=["anna"], ids=["a", "b"], keys=["k", "l"])
    plain = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    plan = database.read_sync(lambda connection: connection.execute(text(f"explain query plan {plain}")).all())
    assert not any("SCAN tombstones" in row.detail for row in plan)
