"""Rows whose message may be lost: they are still open, and by where it was put nobody will bring it (again).

Only a row whose message stands between what its group has committed and the partition's end surely waits, and is not
here. Which of the others are lost is judged in `streamapp.jobs.lost`; those are forgotten, which makes them
unpublished, and the relay publishes them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)

from streamapp.store.chunks import FLYING
from streamapp.store.dueness import is_due
from streamapp.store.schema import chunks, deliveries, jobs
from streamapp.store.upkeep import dead_letters

__all__ = ["Read", "Suspect", "What", "anything_sent", "forget", "suspects"]

KEYS: dict[str, tuple[str, ...]] = {
    "job": ("tenant", "id", "run"),
    "chunk": ("tenant", "job", "run", "step", "predictor", "chunk"),
    "delivery": ("id", "attempts"),
}
NOWHERE = -1  # a row of before places were kept


class Read(NamedTuple):
    """A partition: the first offset that is kept, the first that its group has not committed, and the next one."""

    start: int
    done: int
    end: int


@dataclass(frozen=True, slots=True)
class What:
    """Which rows: jobs, one predictor's chunks, or deliveries of one kind; and the topic of their messages."""

    rows: Literal["job", "chunk", "delivery"]
    topic: str
    only: str = ""


class Suspect(NamedTuple):
    """A row's key, where its message was put last, and how often a message of its job failed.

    The last tells a row from itself: one that was buried and sent on its way by an operator since has another history.
    """

    key: tuple[Any, ...]
    partition: int
    offset: int
    failures: int = 0


def anything_sent(connection: Connection) -> bool:
    """Whether any row waits for a message at all."""
    everything = (What("job", ""), What("chunk", ""), What("delivery", ""))
    return any(connection.execute(select(exists().where(_open(what)))).scalar_one() for what in everything)


def suspects(connection: Connection, what: What, reads: Mapping[int, Read], limit: int) -> list[Suspect]:
    """Open rows whose message is not between what is done and the end of its partition, as far as `reads` knows."""
    table = _table(what)
    low = {number: literal(max(read.done, read.start), BigInteger) for number, read in reads.items()}
    high = {number: literal(read.end, BigInteger) for number, read in reads.items()}
    nowhere = literal(NOWHERE, BigInteger)
    waits = and_(
        table.c.sent_offset >= case(low, value=table.c.sent_partition, else_=nowhere),
        table.c.sent_offset < case(high, value=table.c.sent_partition, else_=nowhere),
    )
    columns = [table.c[name] for name in KEYS[what.rows]]
    place = [func.coalesce(table.c.sent_partition, NOWHERE), func.coalesce(table.c.sent_offset, NOWHERE)]
    query = (
        select(*columns, *place, _failures(what))
        .where(_open(what), not_(_buried(what)), or_(table.c.sent_offset.is_(None), not_(waits)))
        .order_by(*place, *columns)  # always the same ones, however many there are
        .limit(limit)
    )
    return [Suspect(tuple(row[:-3]), *row[-3:]) for row in connection.execute(query)]


def forget(connection: Connection, what: What, lost: Iterable[Suspect]) -> int:
    """Make these rows unpublished, but for those that have moved on or were published again. Returns how many."""
    table = _table(what)
    named = (table.c[name] == bindparam(f"key_{name}") for name in KEYS[what.rows])
    there = and_(
        func.coalesce(table.c.sent_partition, NOWHERE) == bindparam("at_partition", type_=BigInteger),
        func.coalesce(table.c.sent_offset, NOWHERE) == bindparam("at_offset", type_=BigInteger),
    )
    statement = update(table).where(*named, there, _open(what), not_(_buried(what)))
    statement = statement.values(published_at=None, sent_partition=None, sent_offset=None)
    rows = [
        {
            **{f"key_{name}": value for name, value in zip(KEYS[what.rows], each.key, strict=True)},
            "at_partition": each.partition,
            "at_offset": each.offset,
        }
        for each in lost
    ]
    return connection.execute(statement, rows).rowcount if rows else 0


def _table(what: What) -> Table:
    return {"job": jobs, "chunk": chunks, "delivery": deliveries}[what.rows]


def _open(what: What) -> ColumnElement[bool]:
    """The row says that the broker has its message, and what that message is for is not done."""
    sent = _table(what).c.published_at.is_not(None)
    if what.rows == "job":
        return and_(sent, jobs.c.status == "queued")
    if what.rows == "chunk":
        flying = and_(sent, chunks.c.state == FLYING)
        return and_(flying, chunks.c.predictor == what.only) if what.only else flying
    due = and_(sent, is_due())
    return and_(due, deliveries.c.kind == what.only) if what.only else due


def _failures(what: What) -> ColumnElement[int]:
    if what.rows == "delivery":
        return literal(0)  # its attempts are in its key
    tenant, job = (jobs.c.tenant, jobs.c.id) if what.rows == "job" else (chunks.c.tenant, chunks.c.job)
    of_job = and_(dead_letters.c.tenant == tenant, dead_letters.c.job == job)
    return select(func.coalesce(func.sum(dead_letters.c.attempts), 0)).where(of_job).scalar_subquery()


def _buried(what: What) -> ColumnElement[bool]:
    """Whether it is an open dead letter: it was brought and buried, and would be again. An operator decides."""
    unsettled = dead_letters.c.state == "open"
    if what.rows == "job":
        return exists().where(unsettled, dead_letters.c.tenant == jobs.c.tenant, dead_letters.c.job == jobs.c.id)
    if what.rows == "chunk":
        return exists().where(unsettled, dead_letters.c.tenant == chunks.c.tenant, dead_letters.c.job == chunks.c.job)
    partition, offset = (cast(column, String) for column in (deliveries.c.sent_partition, deliveries.c.sent_offset))
    return exists().where(unsettled, dead_letters.c.source == literal(f"{what.topic}/") + partition + "/" + offset)
