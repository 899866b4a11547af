"""The ledger of deliveries: what makes e-mail effectively-once.

::

    pending ──▶ sending ──▶ sent
       ▲           │ ├────▶ dead      given up: a permanent failure, or attempts used up
       └───────────┘ └────▶ parked    in doubt, and the policy is to ask

`sending` is committed before the SMTP conversation begins and holds a lease in the database's time that is longer
than the conversation may take. A lease that ran out means that a worker died between DATA and its answer: nobody can
know whether the mail went (RFC 1047). A connection that broke there means the same. Each claim has a token; a worker
that was taken for dead can't write with its old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, and_, not_, or_, select, update

from streamapp.identity import Run, delivery_id
from streamapp.store import dead_letters
from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow, insert_or_ignore

__all__ = ["Due", "claim", "due", "enter", "get", "give_up", "later", "of_job", "park", "sent"]


class Due(NamedTuple):
    """A delivery that needs a message, and how many attempts there were when that was seen."""

    kind: str
    id: str
    attempts: int = 0


def enter(connection: Connection, run: Run, event: str, kind: str, recipient: str) -> Due:
    """Enter a delivery as pending; the same one twice is entered once."""
    identity = delivery_id(run, event, kind, recipient)
    insert_or_ignore(
        connection,
        deliveries,
        {
            "id": identity,
            "tenant": run.tenant,
            "job": run.job,
            "run": run.run,
            "event": event,
            "kind": kind,
            "recipient": recipient,
            "state": "pending",
            "attempts": 0,
            "in_doubt": 0,
            "created_at": clock(),
        },
    )
    return Due(kind, identity)


def get(connection: Connection, identity: str) -> AnyRow | None:
    """The delivery's row."""
    return connection.execute(select(deliveries).where(deliveries.c.id == identity)).one_or_none()


def of_job(connection: Connection, run: Run) -> Sequence[AnyRow]:
    """The deliveries of one run of a job."""
    mine = and_(deliveries.c.tenant == run.tenant, deliveries.c.job == run.job, deliveries.c.run == run.run)
    return connection.execute(select(deliveries).where(mine).order_by(deliveries.c.kind, deliveries.c.id)).all()


def claim(
    connection: Connection, identity: str, token: str, lease_s: float, in_doubt: Literal["resend", "park"]
) -> AnyRow | None:
    """Take a delivery that is due, for `lease_s` seconds. None when there is nothing to do for this caller now."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == identity).with_for_update()).one_or_none()
    if row is None:
        return None
    due_now = or_(deliveries.c.next_attempt_at.is_(None), deliveries.c.next_attempt_at <= clock())
    lost = and_(deliveries.c.state == "sending", deliveries.c.lease_until < clock())
    if row.state == "sending" and in_doubt == "park":
        parked = {"state": "parked", "in_doubt": deliveries.c.in_doubt + 1, "lease_until": None, "lease_owner": None}
        connection.execute(update(deliveries).where(deliveries.c.id == identity, lost).values(**parked))
        return None
    free = lost if row.state == "sending" else and_(deliveries.c.state == "pending", due_now)
    taken = update(deliveries).where(deliveries.c.id == identity, free)
    values: dict[str, Any] = {
        "state": "sending",
        "attempts": deliveries.c.attempts + 1,
        "lease_until": clock() + lease_s,
        "lease_owner": token,
    }
    if row.state == "sending":
        values["in_doubt"] = deliveries.c.in_doubt + 1
    if connection.execute(taken.values(**values)).rowcount != 1:
        return None
    return get(connection, identity)


def sent(connection: Connection, identity: str, token: str) -> bool:
    """The other side has it. False when the claim was lost meanwhile."""
    return _settle(connection, identity, token, {"state": "sent", "sent_at": clock(), "last_error": None})


def later(
    connection: Connection, identity: str, token: str, error: str, delay_s: float, *, in_doubt: bool = False
) -> bool:
    """A transient failure: due again in `delay_s` seconds."""
    values = {
        "state": "pending",
        "next_attempt_at": clock() + delay_s,
        "last_error": error,
        "published_at": None,
        "in_doubt": deliveries.c.in_doubt + int(in_doubt),
    }
    return _settle(connection, identity, token, values)


def park(connection: Connection, identity: str, token: str, error: str) -> bool:
    """The conversation broke off in doubt, and the policy is to ask."""
    values = {"state": "parked", "last_error": error, "in_doubt": deliveries.c.in_doubt + 1}
    return _settle(connection, identity, token, values)


def give_up(connection: Connection, identity: str, token: str, error: str) -> bool:
    """A permanent failure, or one too many: dead, and a dead letter for the operator."""
    values = {"state": "dead", "last_error": error, "next_attempt_at": None}
    if not _settle(connection, identity, token, values):
        return False
    row = get(connection, identity)
    assert row is not None
    dead_letters.given_up(connection, row, error)
    return True


def revive(connection: Connection, identity: str) -> bool:
    """Make a delivery that was given up due again, with all its attempts. False when it is not given up."""
    return _leave(connection, identity, "dead", {"state": "pending", "attempts": 0, "published_at": None})


def parked(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """E-mails in doubt that wait for an operator, oldest first."""
    waiting = select(deliveries).where(deliveries.c.state == "parked").order_by(deliveries.c.created_at)
    return connection.execute(waiting.limit(limit)).all()


def settle_sent(connection: Connection, identity: str) -> bool:
    """An operator knows that a parked e-mail arrived. False when it is not parked."""
    return _leave(connection, identity, "parked", {"state": "sent", "sent_at": clock()})


def settle_resend(connection: Connection, identity: str) -> bool:
    """An operator wants a parked e-mail sent again, with the same Message-ID. False when it is not parked."""
    return _leave(connection, identity, "parked", {"state": "pending", "published_at": None})


def _leave(connection: Connection, identity: str, state: str, values: dict[str, Any]) -> bool:
    mine = and_(deliveries.c.id == identity, deliveries.c.state == state)
    return connection.execute(update(deliveries).where(mine).values(**values, next_attempt_at=None)).rowcount == 1


def due(connection: Connection, grace_s: float, limit: int) -> list[Due]:
    """Deliveries that no message may be under way for: unpublished for a while, due again, or with a lost lease."""
    unpublished = and_(
        deliveries.c.state == "pending",
        deliveries.c.published_at.is_(None),
        or_(
            and_(deliveries.c.next_attempt_at.is_(None), deliveries.c.created_at < clock() - grace_s),
            deliveries.c.next_attempt_at <= clock(),
        ),
    )
    asked_for = and_(deliveries.c.published_at.is_not(None), deliveries.c.published_at >= clock() - grace_s)
    lost = and_(deliveries.c.state == "sending", deliveries.c.lease_until < clock(), not_(asked_for))
    columns = (deliveries.c.kind, deliveries.c.id, deliveries.c.attempts)
    return [Due(*row) for row in connection.execute(select(*columns).where(or_(unpublished, lost)).limit(limit))]


def _settle(connection: Connection, identity: str, token: str, values: dict[str, Any]) -> bool:
    mine = and_(deliveries.c.id == identity, deliveries.c.state == "sending", deliveries.c.lease_owner == token)
    released = {**values, "lease_until": None, "lease_owner": None}
    return connection.execute(update(deliveries).where(mine).values(**released)).rowcount == 1
