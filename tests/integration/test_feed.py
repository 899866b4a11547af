"""The feed where transactions commit in another order than they begin: on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamapp.identity import Run
from streamapp.store import feed, inbox, jobs, ledger
from streamapp.store.database import Database
from streamapp.store.feed import Place
from tests.integration.test_store import database, url  # noqa: F401 - the fixtures
from tests.unit.store.rows import running


@contextmanager
def ending(database: Database, *runs: Run) -> Iterator[None]:  # noqa: F811
    """A transaction that has ended these jobs, and commits when the block is left."""
    with database.connection() as connection:
        for run in runs:
            assert jobs.end(connection, run, "succeeded")
        yield


def read(database: Database, place: Place) -> list[tuple[Place, str]]:  # noqa: F811
    """What is told after that place, and which job each is about."""
    seen = database.read_sync(feed.after, "anna", place, 100)
    return [(each.place, each.row.id if each.place.kind == 0 else each.row.job) for each in seen]


def test_a_reader_waits_for_who_began_before(database: Database) -> None:  # noqa: F811
    """The second to begin is the first to commit: I expect it to be told after the first, and neither to be missed."""
    first, second, third = running(database), running(database), running(database)
    place = database.read_sync(feed.start, "anna")
    with ending(database, first):
        with ending(database, second):
            pass
        assert read(database, place) == []
        assert database.read_sync(feed.start, "anna") == place
        assert database.read_sync(feed.heads, ["anna"])["anna"] > place.feed
    told = read(database, place)
    assert [job for _, job in told] == [first.job, second.job]
    with ending(database, third):
        assert read(database, told[0][0]) == told[1:]
    assert [job for _, job in read(database, told[-1][0])] == [third.job]


def test_what_has_one_number_is_read_in_pages(database: Database) -> None:  # noqa: F811
    """Several ends in one transaction: I expect each of them once, whatever the page."""
    runs = [running(database) for _ in range(5)]
    place = database.read_sync(feed.start, "anna")
    with ending(database, *runs):
        pass
    told = []
    while page := database.read_sync(feed.after, "anna", place, 2):
        told += [seen.row.id for seen in page]
        place = page[-1].place
    assert sorted(told) == sorted(run.job for run in runs)


def test_a_delivery_waits_as_well(database: Database) -> None:  # noqa: F811
    """A line in the inbox is committed while an older transaction is under way: I expect it to be told after that."""
    run, other = running(database), running(database)
    due = database.write_sync(ledger.enter, run, "succeeded", "notification", "anna")
    row = database.read_sync(ledger.get, due.id)
    assert row is not None
    place = database.read_sync(feed.start, "anna")
    with ending(database, run):
        pass
    with ending(database, other):
        database.write_sync(inbox.deliver, row, "Done", "All of it")
        key = ("anna", run.job)
        followed = database.read_sync(feed.look, [key])[key]
        assert (followed.told, followed.open) == ((), True)
    followed = database.read_sync(feed.look, [key])[key]
    assert ([each.id for each in followed.told], followed.open) == ([due.id], False)
    assert [job for _, job in read(database, place)] == [run.job, other.job, run.job]


def test_a_place_of_another_server_is_known(database: Database) -> None:  # noqa: F811
    """I expect a number that no transaction has had to be no place to go on from."""
    assert database.read_sync(feed.is_past, database.read_sync(feed.start, "anna"))
    assert not database.read_sync(feed.is_past, Place(1 << 60))
