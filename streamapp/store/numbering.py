"""The numbers by which a tenant's feed is read: given to what ends a job or settles an attempt, in the same statement.

They cost the statements that give them nothing but a column. Who reads up to a number must never find a smaller one
later, although transactions commit in another order than they begin:

- SQLite has one writer, so one more than the tenant's largest is in the order of the commits. At least the time in
  microseconds, so that a number is not given again after the rows with the largest were removed.
- PostgreSQL: the transaction's own id, and nobody reads beyond the oldest transaction that still runs
  (`pg_snapshot_xmin`): whatever is below that has ended and is visible, or never will be.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["feed_number", "readable"]

LARGEST = ("jobs", "deliveries")


class feed_number(FunctionElement[int]):  # noqa: N801 - reads like the SQL function that it is
    """The next number of the feed of the tenant in that column, which is one of the row that is written."""

    type = BigInteger()
    inherit_cache = True


class _horizon(FunctionElement[int]):  # noqa: N801 - as above
    """Every number below it belongs to a transaction that has ended."""

    type = BigInteger()
    inherit_cache = True


def readable(number: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether no smaller number than this one can still come."""
    return number < _horizon()


@compiles(feed_number, "sqlite")
def _sqlite_number(element: Any, compiler: Any, **kwargs: Any) -> str:
    tenant = compiler.process(element.clauses, **kwargs)
    now = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
    mine = f"f.tenant = {tenant} AND f.feed IS NOT NULL"  # which is what makes the index of those serve
    last = (f"1 + coalesce((SELECT max(f.feed) FROM {table} AS f WHERE {mine}), 0)" for table in LARGEST)
    return f"max({now}, {', '.join(last)})"


@compiles(feed_number, "postgresql")
def _postgresql_number(element: Any, compiler: Any, **_: Any) -> str:
    return "pg_current_xact_id()::text::bigint"


@compiles(_horizon, "sqlite")
def _sqlite_horizon(element: Any, compiler: Any, **_: Any) -> str:
    return "9223372036854775807"


@compiles(_horizon, "postgresql")
def _postgresql_horizon(element: Any, compiler: Any, **_: Any) -> str:
    return "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
