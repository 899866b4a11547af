"""Dead letters: what was given up, why, and what became of it. One row for what failed, however often it was redriven.

::

    open ──▶ redriven ──▶ (open again, when it fails once more)
      └────▶ discarded

A row stands for a message that no agent could work on (``topic``, ``partition`` and ``offset`` say where it stood), or
for a delivery that was given up (``delivery``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow, insert_or_ignore
from streamapp.store.upkeep import dead_letters

__all__ = ["Filter", "Letter", "count_open", "discard", "find", "given_up", "matching", "note", "redriven"]

OPEN, REDRIVEN, DISCARDED = "open", "redriven", "discarded"
COUNT = select(func.count()).where(dead_letters.c.state == OPEN)
COUNT_OF_TENANT = COUNT.where(dead_letters.c.tenant == bindparam("of_tenant"))


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that can't be worked on. `origin` is the row that it was redriven from."""

    topic: str
    partition: int
    offset: int
    reason: str
    at: float
    key: bytes | None
    value: bytes | None
    tenant: str | None
    job: str | None
    origin: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant; what is None does not matter."""

    state: str | None = OPEN
    topic: str | None = None  # of messages that stood there, and of deliveries that were announced there
    job: str | None = None
    reason: str | None = None  # a part of it
    before: int | None = None  # ids below this one
    tenant: str | None = None


def note(connection: Connection, letter: Letter) -> None:
    """Store a dead letter, once; one that was redriven and failed again is the same row with one attempt more."""
    place = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
    source = f"{letter.topic}/{letter.partition}/{letter.offset}"
    if letter.origin is not None:
        again = update(dead_letters).where(dead_letters.c.id == letter.origin, dead_letters.c.source != source)
        values = {
            **place,
            "source": source,
            "state": OPEN,
            "reason": letter.reason,
            "attempts": dead_letters.c.attempts + 1,
            "last_seen": letter.at,
        }
        if connection.execute(again.values(**values)).rowcount:
            return
    row = {
        **place,
        "source": source,
        "state": OPEN,
        "reason": letter.reason,
        "attempts": 1,
        "first_seen": letter.at,
        "last_seen": letter.at,
        "key": letter.key,
        "value": letter.value,
        "tenant": letter.tenant,
        "job": letter.job,
    }
    insert_or_ignore(connection, dead_letters, row)


def given_up(connection: Connection, delivery: AnyRow, reason: str) -> None:
    """Note a delivery that was given up; the same one again is the same row with its attempts added."""
    source = f"delivery/{delivery.id}"
    row = {
        "source": source,
        "delivery": delivery.id,
        "state": OPEN,
        "reason": reason,
        "attempts": delivery.attempts,
        "tenant": delivery.tenant,
        "job": delivery.job,
    }
    if not insert_or_ignore(connection, dead_letters, row, "first_seen", "last_seen"):
        again = {"state": OPEN, "reason": reason, "last_seen": clock()}
        more = {"attempts": dead_letters.c.attempts + delivery.attempts}
        connection.execute(update(dead_letters).where(dead_letters.c.source == source).values(**again, **more))


def find(connection: Connection, identity: int) -> AnyRow | None:
    """One dead letter."""
    return connection.execute(select(dead_letters).where(dead_letters.c.id == identity)).one_or_none()


def matching(connection: Connection, wanted: Filter, limit: int) -> Sequence[AnyRow]:
    """Those that match, newest first."""
    conditions: list[Any] = [
        dead_letters.c[name] == value
        for name, value in (("state", wanted.state), ("job", wanted.job), ("tenant", wanted.tenant))
        if value is not None
    ]
    if wanted.topic is not None:  # with the deployment's prefix, or as the pages call it
        named = dead_letters.c.topic
        of_kind = select(deliveries.c.id).where(deliveries.c.kind == wanted.topic.rpartition(".")[2])
        its = (named == wanted.topic, named.endswith(f".{wanted.topic}", autoescape=True))
        conditions.append(or_(*its, dead_letters.c.delivery.in_(of_kind)))
    if wanted.reason is not None:
        conditions.append(func.lower(dead_letters.c.reason).contains(wanted.reason.lower(), autoescape=True))
    if wanted.before is not None:
        conditions.append(dead_letters.c.id < wanted.before)
    query = select(dead_letters).where(and_(True, *conditions)).order_by(dead_letters.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def count_open(connection: Connection, tenant: str | None) -> int:
    """How many are open: that tenant's, or with None everybody's and what is nobody's."""
    if tenant is None:
        return connection.execute(COUNT).scalar_one()
    return connection.execute(COUNT_OF_TENANT, {"of_tenant": tenant}).scalar_one()


def redriven(connection: Connection, identity: int) -> bool:
    """Note that it was sent on its way again."""
    return _become(connection, identity, REDRIVEN, (OPEN, REDRIVEN))


def discard(connection: Connection, identity: int) -> bool:
    """Note that nothing more is to be done about it. False when it is not open."""
    return _become(connection, identity, DISCARDED, (OPEN,))


def _become(connection: Connection, identity: int, state: str, before: tuple[str, ...]) -> bool:
    mine = and_(dead_letters.c.id == identity, or_(*(dead_letters.c.state == each for each in before)))
    return connection.execute(update(dead_letters).where(mine).values(state=state)).rowcount == 1
