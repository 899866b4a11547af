"""The few statements that SQLAlchemy spells differently for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Table, literal
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["AnyRow", "insert_all_or_ignore", "insert_or_ignore", "upsert"]

#: A row whose columns are read by name.
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def insert_or_ignore(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one of its keys is taken. True when it was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**values).on_conflict_do_nothing()
    # not rowcount: where SQLAlchemy adds a RETURNING of its own, as on PostgreSQL, that is -1
    return connection.execute(statement.returning(literal(True))).first() is not None


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
