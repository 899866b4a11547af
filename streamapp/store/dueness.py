"""When something is to be done about a delivery, as conditions for the ledger's statements.

The database's clock may be set back. What stands further ahead than it was ever put is not waited for: a delivery is
due then, and a lease is counted anew, not taken for lost, since its owner may be talking at this moment.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, not_, or_

from streamapp.store.schema import clock, deliveries
from streamapp.store.times import elapsed, within

__all__ = ["LONGEST_DELAY_S", "LONGEST_LEASE_S", "due_at", "is_due", "is_lost", "is_too_far", "wants_a_message"]

LONGEST_DELAY_S = 3600.0  # nothing is put off for longer
LONGEST_LEASE_S = 700.0  # no lease is longer: the settings bound a conversation by ten minutes


def is_due() -> ColumnElement[bool]:
    """It waits for its first or next attempt, and the time for that has come."""
    at = deliveries.c.next_attempt_at
    return and_(deliveries.c.state == "pending", or_(at.is_(None), at <= clock(), at > clock() + LONGEST_DELAY_S))


def is_lost() -> ColumnElement[bool]:
    """It was claimed, and the lease has run out: its owner is dead."""
    return and_(deliveries.c.state == "sending", deliveries.c.lease_until < clock())


def is_too_far() -> ColumnElement[bool]:
    """It was claimed by a clock that was set back since: nobody can say when that lease ends."""
    return and_(deliveries.c.state == "sending", deliveries.c.lease_until > clock() + LONGEST_LEASE_S)


def wants_a_message(grace_s: float) -> ColumnElement[bool]:
    """No message may be under way for it: it is unpublished for `grace_s` seconds, due again, or its owner is dead."""
    fresh = and_(deliveries.c.next_attempt_at.is_(None), not_(elapsed(deliveries.c.created_at, grace_s)))
    unpublished = and_(is_due(), deliveries.c.published_at.is_(None), not_(fresh))
    asked_for = and_(deliveries.c.published_at.is_not(None), within(deliveries.c.published_at, grace_s))
    return or_(unpublished, and_(or_(is_lost(), is_too_far()), not_(asked_for)))


def due_at() -> ColumnElement[float]:
    """When its next attempt is due, in the database's time; 0 for at once."""
    return func.coalesce(deliveries.c.next_attempt_at, 0.0)
