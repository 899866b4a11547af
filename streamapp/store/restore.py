"""A store that was restored from a backup, brought up to what the topics remember.

What was accepted since is entered again. What was being mailed since is noted: nobody can know any more which of those
e-mails went out, so none of them goes out unasked (see `streamapp.store.ledger.enter`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from streamapp.store.numbering import feed_number
from streamapp.store.reservations import JobRemoved, NewJob, reserve, tombstone_of
from streamapp.store.schema import deliveries, jobs
from streamapp.store.sql import insert_or_ignore
from streamapp.store.upkeep import spoken_for

__all__ = ["Entered", "enter_again", "enter_all", "knows", "newest", "park_under_way", "speak_for"]

#: What became of a job that a topic remembers.
Entered = Literal["entered", "known", "removed", "key taken"]

UNKNOWN = "It may have gone out before the store was set back; nobody knows."


def enter_all(connection: Connection, accepted: Sequence[tuple[NewJob, int, float]]) -> Counter[Entered]:
    """Enter jobs again, each with its run and when it was accepted. Returns what became of how many."""
    return Counter(enter_again(connection, *each) for each in accepted)


def enter_again(connection: Connection, new: NewJob, run: int, created_at: float) -> Entered:
    """Enter a job as it was accepted, queued and unpublished, unless the store knows it or has removed it."""
    try:
        found = reserve(connection, new, run=run, created_at=created_at)
    except JobRemoved:
        return "removed"
    if found.created:
        return "entered"
    return "known" if found.row.id == new.id else "key taken"


def knows(connection: Connection, new: NewJob) -> bool:
    """Whether the store knows of this job: it has it, has removed it, or has another one under its key."""
    if tombstone_of(connection, new.tenant, new.id, new.idempotency_key) is not None:
        return True
    named = jobs.c.id == new.id
    if new.idempotency_key is not None:
        named = or_(named, jobs.c.idempotency_key == new.idempotency_key)
    return connection.execute(select(exists().where(jobs.c.tenant == new.tenant, named))).scalar_one()


def newest(connection: Connection) -> float | None:
    """When the newest job was accepted."""
    found: float | None = connection.execute(select(func.max(jobs.c.created_at))).scalar_one()
    return found


def speak_for(connection: Connection, identities: Sequence[str]) -> int:
    """Note e-mails that a topic says were due, and park those that this store would send. Returns how many it parks."""
    for identity in identities:
        insert_or_ignore(connection, spoken_for, {"delivery": identity}, "noted_at")
    return _park(connection, and_(deliveries.c.id.in_(identities), deliveries.c.state.in_(("pending", "sending"))))


def park_under_way(connection: Connection) -> int:
    """Park the e-mails that were under way when the backup was made: their messages are older, their ends newer."""
    asked = and_(deliveries.c.state == "pending", deliveries.c.published_at.is_not(None))
    return _park(connection, or_(deliveries.c.state == "sending", asked))


def _park(connection: Connection, which: ColumnElement[bool]) -> int:
    parked = {"state": "parked", "in_doubt": deliveries.c.in_doubt + 1, "lease_until": None, "lease_owner": None}
    emails = update(deliveries).where(deliveries.c.kind == "email", which)
    told = {"last_error": UNKNOWN, "next_attempt_at": None, "feed": feed_number(deliveries.c.tenant)}
    return connection.execute(emails.values(**parked, **told)).rowcount
