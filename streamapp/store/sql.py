"""What statements have in common: those that SQLite and PostgreSQL spell differently, and the key of a run.

Statements that run for every job are made once, with parameters: spelling one takes several times longer than running
it on so few rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, bindparam, literal
from sqlalchemy.dialects import postgresql, sqlite

from streamapp.identity import Run
from streamapp.store.often import Often
from streamapp.store.schema import clock

__all__ = ["AnyRow", "insert_all_or_ignore", "insert_or_ignore", "its", "of_run", "upsert"]

#: A row whose columns are read by name.
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def of_run(table: Table) -> ColumnElement[bool]:
    """That a row of this table is of the run that the parameters name; see `its`."""
    job = table.c.id if "id" in table.c and "job" not in table.c else table.c.job
    named = (table.c.tenant == bindparam("of_tenant"), job == bindparam("of_job"), table.c.run == bindparam("of_run"))
    return and_(*named)


def its(run: Run) -> dict[str, str | int]:
    """The parameters that name a run."""
    return {"of_tenant": run.tenant, "of_job": run.job, "of_run": run.run}


def insert_or_ignore(connection: Connection, table: Table, values: Mapping[str, Any], *now: str) -> bool:
    """Insert a row of plain values unless one of its keys is taken. True when it was inserted.

    `now` names columns that get the time.
    """
    return _inserting(connection.dialect.name, table, now)(connection, dict(values)).first() is not None


@cache
def _inserting(dialect: str, table: Table, now: tuple[str, ...]) -> Often:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(table).values({name: clock() for name in now}) if now else insert(table)
    # not rowcount: where SQLAlchemy adds a RETURNING of its own, as on PostgreSQL, that is -1
    return Often(statement.on_conflict_do_nothing().returning(literal(True)))


def insert_all_or_ignore(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], **shared: Any
) -> Sequence[AnyRow]:
    """Insert rows, but for those one of whose keys is taken; returns the rows that were inserted, in any order.

    `shared` are values that all of them have; they may be SQL.
    """
    if not rows:
        return []
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**shared).on_conflict_do_nothing().returning(*table.c)
    return connection.execute(statement, [dict(row) for row in rows]).all()


def upsert(connection: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert a row, or give the one with that key these values."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
