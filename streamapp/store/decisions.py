"""What operators decide about deliveries: those in doubt, and those that were given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from streamapp.store.numbering import feed_number
from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import spoken_for

__all__ = ["parked", "revive", "settle_resend", "settle_sent"]


def revive(connection: Connection, identity: str) -> bool:
    """Make a delivery that was given up due again, with all its attempts. False when it is not given up."""
    return _leave(connection, identity, "dead", {"state": "pending", "attempts": 0, "published_at": None})


def parked(connection: Connection, limit: int, tenant: str | None = None) -> Sequence[AnyRow]:
    """E-mails in doubt that wait for an operator, oldest first; of one tenant if that is named."""
    waiting = select(deliveries).where(deliveries.c.state == "parked").order_by(deliveries.c.created_at)
    if tenant is not None:
        waiting = waiting.where(deliveries.c.tenant == tenant)
    return connection.execute(waiting.limit(limit)).all()


def settle_sent(connection: Connection, identity: str) -> bool:
    """An operator knows that a parked e-mail arrived. False when it is not parked."""
    return _decided(
        connection, identity, {"state": "sent", "sent_at": clock(), "feed": feed_number(deliveries.c.tenant)}
    )


def settle_resend(connection: Connection, identity: str) -> bool:
    """An operator wants a parked e-mail sent again, with the same Message-ID. False when it is not parked."""
    return _decided(connection, identity, {"state": "pending", "published_at": None})


def _decided(connection: Connection, identity: str, values: dict[str, Any]) -> bool:
    """Do as an operator has decided, who is asked about it no more. False when it is not parked."""
    if not _leave(connection, identity, "parked", values):
        return False
    connection.execute(delete(spoken_for).where(spoken_for.c.delivery == identity))
    return True


def _leave(connection: Connection, identity: str, state: str, values: dict[str, Any]) -> bool:
    mine = and_(deliveries.c.id == identity, deliveries.c.state == state)
    return connection.execute(update(deliveries).where(mine).values(**values, next_attempt_at=None)).rowcount == 1
