"""Who does what only one worker does at a time."""

from __future__ import annotations

from streamapp.store import leases
from streamapp.store.database import Database
from streamapp.store.schema import clock
from streamapp.store.upkeep import leases as lease_rows
from tests.unit.store.rows import put, row_of, rows_of


def holds(database: Database, owner: str, name: str = "sweep") -> bool:
    """Ask for five seconds."""
    return database.write_sync(leases.hold, name, owner, 5.0)


def test_a_lease_has_one_owner(database: Database) -> None:
    """I expect the first to have it for as long as it renews it, and other names to be free."""
    assert [holds(database, owner) for owner in ("a", "b", "a", "b")] == [True, False, True, False]
    assert holds(database, "b", "another")
    assert row_of(database, lease_rows, name="sweep").owner == "a"


def test_a_lease_is_counted_from_its_last_renewal(database: Database) -> None:
    """I expect a renewal to move its end, and not the moment at which it was taken."""
    assert holds(database, "a")
    put(database, lease_rows, {"name": "sweep"}, taken_at=clock() - 50.0, lease_until=clock() + 0.5)
    before = row_of(database, lease_rows)
    assert holds(database, "a")
    after = row_of(database, lease_rows)
    assert after.taken_at == before.taken_at
    assert after.lease_until - before.lease_until > 4.0


def test_a_lease_that_ran_out_is_free(database: Database) -> None:
    """I expect another to have it then, from then on, and its old owner not to."""
    assert holds(database, "a")
    put(database, lease_rows, {"name": "sweep"}, taken_at=clock() - 50.0, lease_until=clock() - 0.1)
    assert [holds(database, owner) for owner in ("b", "a")] == [True, False]
    assert row_of(database, lease_rows).taken_at > row_of(database, lease_rows).lease_until - 6.0


def test_a_clock_set_back_takes_nobody_s_turn_for_an_hour(database: Database) -> None:
    """I expect a lease that ends later than any can to be free, and one that is only a little ahead not to."""
    assert holds(database, "a")
    put(database, lease_rows, {"name": "sweep"}, lease_until=clock() + 5.5)
    assert not holds(database, "b")
    put(database, lease_rows, {"name": "sweep"}, lease_until=clock() + 3600.0)
    assert holds(database, "b")
    assert not holds(database, "a")


def test_a_lease_is_given_back_by_its_owner_only(database: Database) -> None:
    """I expect the next one to have it at once, and nobody to give back another's."""
    assert holds(database, "a")
    database.write_sync(leases.release, "sweep", "b")
    assert not holds(database, "b")
    database.write_sync(leases.release, "sweep", "a")
    assert rows_of(database, lease_rows) == []
    assert holds(database, "b")
