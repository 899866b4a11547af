"""A statement that SQLite's driver is given as it is does what SQLAlchemy's own way does."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, delete, event, func, insert, literal, or_, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, MultipleResultsFound, NoResultFound, OperationalError

from streamapp.errors import StoreUnavailable
from streamapp.store.database import Database
from streamapp.store.often import Often
from streamapp.store.schema import tenants

ALL = select(tenants).order_by(tenants.c.tenant)
NAMED = (
    select(tenants.c.tenant).where(tenants.c.tenant.in_(bindparam("names", expanding=True))).order_by(tenants.c.tenant)
)
SOME = ALL.where(or_(tenants.c.tenant.in_(["anna", "carl"]), tenants.c.tenant == bindparam("also")))
RENAME = update(tenants).where(tenants.c.tenant == bindparam("of_tenant")).values(turn=tenants.c.turn + bindparam("by"))
RETURNED = RENAME.returning(tenants.c.tenant, tenants.c.paused, tenants.c.turn)
IGNORE = sqlite.insert(tenants).on_conflict_do_nothing().returning(literal(True))


@pytest.fixture(autouse=True)
def _three_tenants(database: Database) -> None:
    rows = [{"tenant": name, "paused": name == "bert", "weight": 0.5} for name in ("anna", "bert", "carl")]
    database.write_sync(lambda connection: connection.execute(insert(tenants), rows))


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (ALL, {}),
        (NAMED, {"names": ["carl", "anna"]}),
        (NAMED, {"names": ["anna"]}),
        (NAMED, {"names": []}),
        (SOME, {"also": "bert"}),
        (RETURNED, {"of_tenant": "anna", "by": 2}),
        (IGNORE, {"tenant": "anna"}),
        (IGNORE, {"tenant": "dora", "weight": 2.0}),
        (select(func.count(), func.max(tenants.c.weight)), {}),
    ],
)
def test_the_rows_are_the_same(database: Database, statement: Any, params: dict[str, Any]) -> None:
    """I expect columns by name and by place, truth values as such, and the same rows again from another process."""
    expected = _undone(database, lambda connection: connection.execute(statement, params).all())
    often = Often(statement)
    for _ in range(2):  # spelled, and known
        found = _undone(database, lambda connection: often(connection, params).all())
        assert [tuple(row) for row in found] == [tuple(row) for row in expected]
        for row, same in zip(pickle.loads(pickle.dumps(found)), expected, strict=True):
            assert tuple(row) == tuple(same)
            for name in ("tenant", "paused", "turn", "weight"):
                assert getattr(row, name, None) == getattr(same, name, None)
                assert type(getattr(row, name, None)) is type(getattr(same, name, None))


def test_a_list_of_another_length_is_another_spelling(database: Database) -> None:
    """I expect each call to see its own values, also those before it that had more."""
    named = Often(NAMED)
    lists: list[Sequence[str]] = [["anna", "bert", "carl"], ["carl"], [], ("bert", "anna"), ("carl",)]
    found = [database.read_sync(_names, named, names) for names in lists]
    assert found == [sorted(names) for names in lists]


def test_values_are_converted_on_their_way_in(database: Database) -> None:
    """I expect each value as its type wants it, and one that its type does not take to be refused."""
    pause = Often(update(tenants).where(tenants.c.tenant == bindparam("of_tenant")).values(paused=bindparam("to")))
    database.write_sync(lambda c: pause(c, {"of_tenant": "anna", "to": True}).rowcount)
    database.write_sync(lambda c: pause.each(c, [{"of_tenant": "bert", "to": False}]))
    assert database.read_sync(lambda c: [row.paused for row in c.execute(ALL)]) == [True, False, False]
    with pytest.raises(TypeError, match="boolean"):
        database.write_sync(lambda c: pause(c, {"of_tenant": "anna", "to": "no"}).rowcount)


def test_what_was_changed_is_counted(database: Database) -> None:
    """I expect the number of rows, of one run and of none."""
    rename = Often(RENAME)
    assert database.write_sync(lambda c: rename(c, {"of_tenant": "anna", "by": 1}).rowcount) == 1
    assert database.write_sync(lambda c: rename(c, {"of_tenant": "nobody", "by": 1}).rowcount) == 0


def test_many_rows_go_at_once(database: Database) -> None:
    """I expect each of them to be changed, and nothing to be asked for when there are none."""
    rename = Often(RENAME)
    database.write_sync(lambda c: rename.each(c, []))
    database.write_sync(lambda c: rename.each(c, [{"of_tenant": n, "by": b} for n, b in (("anna", 3), ("carl", 4))]))
    assert database.read_sync(lambda c: [row.turn for row in c.execute(ALL)]) == [3, 0, 4]


def test_one_row_and_several(database: Database) -> None:
    """I expect the complaints of SQLAlchemy, by their own names."""
    named = Often(NAMED)

    def ask(which: str, *names: str) -> Any:
        return database.read_sync(lambda c: getattr(named(c, {"names": list(names)}), which)())

    assert ask("scalar_one", "anna") == ask("scalar_one_or_none", "anna") == "anna"
    assert ask("one", "bert").tenant == ask("first", "bert", "carl").tenant == "bert"
    assert ask("one_or_none") is ask("scalar_one_or_none") is ask("first") is None
    for which in ("one", "scalar_one"):
        with pytest.raises(NoResultFound):
            ask(which)
    for which in ("one", "one_or_none", "scalar_one", "scalar_one_or_none"):
        with pytest.raises(MultipleResultsFound):
            ask(which, "anna", "bert")


def test_what_the_driver_refuses_is_said_in_sqlalchemys_words(database: Database) -> None:
    """I expect a broken rule as `IntegrityError`, for one and for many, and an outage as what it is everywhere."""
    enter = Often(insert(tenants))
    with pytest.raises(IntegrityError, match="UNIQUE"):
        database.write_sync(lambda c: enter(c, {"tenant": "anna"}).rowcount)
    with pytest.raises(IntegrityError, match="UNIQUE"):
        database.write_sync(lambda c: enter.each(c, [{"tenant": "emil"}, {"tenant": "emil"}]))
    gone = Often(select(func.nothing_of_that_name()))
    with pytest.raises(StoreUnavailable) as caught:
        database.read_sync(lambda c: gone(c).all())
    assert isinstance(caught.value.__cause__, OperationalError)


def test_a_savepoint_takes_back_what_it_holds(database: Database) -> None:
    """I expect a statement to be part of the transaction that its connection is in."""
    drop = Often(delete(tenants).where(tenants.c.tenant == bindparam("of_tenant")))

    def work(connection: Connection) -> list[str]:
        savepoint = connection.begin_nested()
        assert drop(connection, {"of_tenant": "anna"}).rowcount == 1
        savepoint.rollback()
        assert drop(connection, {"of_tenant": "bert"}).rowcount == 1
        return [row.tenant for row in connection.execute(ALL)]

    assert database.write_sync(work) == ["anna", "carl"]


def test_it_is_spelled_once(database: Database) -> None:
    """I expect SQLAlchemy to be asked for the spelling, and not to run it."""
    ran: list[str] = []
    event.listen(database._writing, "before_cursor_execute", lambda *args: ran.append(args[2]))
    rename = Often(RENAME)
    for _ in range(3):
        database.write_sync(lambda c: rename(c, {"of_tenant": "anna", "by": 1}).rowcount)
    assert len(rename._spelled) == 1
    assert not [each for each in ran if each.startswith("UPDATE")]


def _undone(database: Database, work: Callable[[Connection], Any]) -> Any:
    def within(connection: Connection) -> Any:
        savepoint = connection.begin_nested()
        found = work(connection)
        savepoint.rollback()
        return found

    return database.write_sync(within)


def _names(connection: Connection, named: Often, names: Sequence[str]) -> list[str]:
    return [row.tenant for row in named(connection, {"names": names})]
