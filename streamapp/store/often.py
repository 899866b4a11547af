"""Statements that run for every job, spelled once and then given to SQLite's driver as they are.

SQLite runs such a statement in a few microseconds, on rows that it has in memory. SQLAlchemy takes 15 to 20 more to
find the statement's spelling, to order its parameters and to describe its result, which are the same each time; with
35 of them for a job that was more than half of what the store cost it (docs/adr/0033). Other databases are asked over a
network, where that is little, and get them by SQLAlchemy's own way.
"""

from __future__ import annotations

import copyreg
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, Protocol, cast

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

__all__ = ["Found", "Often"]

Statement = Select[Any] | Insert | Update | Delete
Params = Mapping[str, Any]
Shape = tuple[str | int, ...]
NOTHING: Params = {}


class Found(Protocol):
    """What a statement has found: the part of `sqlalchemy.CursorResult` that is the same here and there."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def __iter__(self) -> Iterator[Any]:
        """The rows, one after the other."""

    def all(self) -> Sequence[Any]:
        """All rows."""

    def first(self) -> Any | None:
        """The first row, if there is any."""

    def one(self) -> Any:
        """The only row. Raises `NoResultFound` and `MultipleResultsFound`."""

    def one_or_none(self) -> Any | None:
        """The only row, if there is one. Raises `MultipleResultsFound`."""

    def scalar_one(self) -> Any:
        """The first column of the only row. Raises `NoResultFound` and `MultipleResultsFound`."""

    def scalar_one_or_none(self) -> Any | None:
        """The same, or None where there is no row. Raises `MultipleResultsFound`."""


class Often:
    """A statement that is run often: call it with a connection and its parameters, by name.

    Raises what `Connection.execute` raises: `sqlalchemy.exc.DBAPIError` for what the driver does not take.
    """

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._spelled: dict[Shape, _Spelled] = {}

    def __call__(self, connection: Connection, params: Params = NOTHING) -> Found:
        """Run it once."""
        if connection.dialect.name != "sqlite":
            return cast(Found, connection.execute(self.statement, params))
        return self._in_sqlite(connection, params).run(connection, params)

    def each(self, connection: Connection, rows: Sequence[Params]) -> None:
        """Run it for each of `rows`, which have the same parameters; what it finds is not looked at."""
        if not rows:
            return
        if connection.dialect.name != "sqlite":
            connection.execute(self.statement, rows)
            return
        self._in_sqlite(connection, rows[0]).run_each(connection, rows)

    def _in_sqlite(self, connection: Connection, params: Params) -> _Spelled:
        # an insert's columns are its parameters' names, and IN has a place for each of its values
        shape: Shape = (*params, *(len(value) for value in params.values() if isinstance(value, list | tuple)))
        spelled = self._spelled.get(shape)
        if spelled is None:
            spelled = self._spelled[shape] = _spell(self.statement, connection, params)
        return spelled


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A statement in SQLite's words.

    `fixed` are the parameters that stand in the statement, `lists` the places of those that are lists. Some are
    `converted` as their types want it; `take` puts all of them in order.
    """

    sql: str
    fixed: Params
    lists: Mapping[str, Sequence[str]]
    converted: Sequence[tuple[str, Callable[[Any], Any]]]
    take: Callable[[Params], Sequence[Any]]
    row: Callable[[Sequence[Any]], Any]
    driver_error: type[Exception]

    def run(self, connection: Connection, params: Params) -> Found:
        values = self._values(params)
        try:
            cursor = _driver_of(connection).execute(self.sql, values)
            return _Found(cursor, [self.row(row) for row in cursor])
        except self.driver_error as error:
            raise self._as_sqlalchemy(error, connection, values) from error

    def run_each(self, connection: Connection, rows: Sequence[Params]) -> None:
        values = [self._values(params) for params in rows]
        try:
            _driver_of(connection).executemany(self.sql, values)
        except self.driver_error as error:
            raise self._as_sqlalchemy(error, connection, values) from error

    def _values(self, params: Params) -> Sequence[Any]:
        known = {**self.fixed, **params}
        for name, places in self.lists.items():
            known.update(zip(places, params[name], strict=True))
        for name, convert in self.converted:
            known[name] = convert(known[name])
        return self.take(known)

    def _as_sqlalchemy(self, error: Exception, connection: Connection, values: Any) -> Exception:
        return DBAPIError.instance(self.sql, values, error, self.driver_error, dialect=connection.dialect)


class _Found:
    """Rows that were fetched at once: there are few."""

    def __init__(self, cursor: Any, rows: list[Any]) -> None:
        self._cursor = cursor
        self._rows = rows

    @property
    def rowcount(self) -> int:
        return int(self._cursor.rowcount)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        return self._rows

    def first(self) -> Any | None:
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any | None:
        if len(self._rows) > 1:
            raise MultipleResultsFound("there are several rows where one at most was expected")
        return self.first()

    def one(self) -> Any:
        if not self._rows:
            raise NoResultFound("there is no row where one was expected")
        return self.one_or_none()

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any | None:
        row = self.one_or_none()
        return None if row is None else row[0]


def _spell(statement: Statement, connection: Connection, params: Params) -> _Spelled:
    """By SQLAlchemy, once."""
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(params))
    state = compiled.construct_expanded_state(dict(params))
    order = state.positiontup or ()
    lists = {name: places for name, places in state.parameter_expansion.items() if name in params}
    places = {place for each in lists.values() for place in each}
    fixed = {name: state.parameters[name] for name in order if name not in params and name not in places}
    kinds = {name: compiled.binds[name].type.dialect_impl(dialect) for name in order if name in compiled.binds}
    needed = {name: kind.bind_processor(dialect) for name, kind in kinds.items()} | dict(state.processors)
    converted = [(name, cast(Any, needed[name])) for name in dict.fromkeys(order) if needed.get(name)]
    return _Spelled(
        state.statement,
        fixed,
        lists,
        converted,
        _taker(order),
        _reader(statement, dialect),
        cast(Any, dialect.dbapi).Error,
    )


def _taker(order: Sequence[str]) -> Callable[[Params], Sequence[Any]]:
    if len(order) == 1:
        return lambda params: (params[order[0]],)
    return itemgetter(*order) if order else lambda _: ()


def _reader(statement: Statement, dialect: Any) -> Callable[[Sequence[Any]], Any]:
    """Makes the driver's rows what SQLAlchemy makes of them: columns by name, and truth values as such."""
    columns = [(str(name), column.type) for name, column in statement.exported_columns.items()]
    make = _record(tuple(name for name, _ in columns))
    converted = [
        (at, convert)
        for at, (_, kind) in enumerate(columns)
        if (convert := kind.dialect_impl(dialect).result_processor(dialect, None))
    ]
    if not converted:
        return make

    def read(row: Sequence[Any]) -> Any:
        values = list(row)
        for at, convert in converted:
            values[at] = convert(values[at])
        return make(values)

    return read


def restored(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """A row as it was before it went to another process."""
    return _record(names)(values)


@cache
def _record(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    """A class for rows with these columns: tuples whose columns are read by name, as `sqlalchemy.Row` is."""
    kind: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    copyreg.pickle(kind, lambda row: (restored, (names, tuple(row))))  # no other process knows a name of the class
    return cast(Callable[[Sequence[Any]], Any], kind._make)


def _driver_of(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
