"""The ledger of deliveries: what makes e-mail effectively-once.

::

    pending ──▶ sending ──▶ sent
       ▲           │ ├────▶ dead      given up: a permanent failure, or attempts used up
       └───────────┘ └────▶ parked    in doubt, and the policy is to ask

`sending` is committed before the SMTP conversation begins and holds a lease in the database's time that is longer
than the conversation may take. A lease that ran out means that a worker died between DATA and its answer: nobody can
know whether the mail went (RFC 1047). A connection that broke there means the same. Each claim has a token; a worker
that was taken for dead can't write with its old one. Webhooks go the same way; one in doubt is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Double, and_, bindparam, or_, select, update

from streamapp.identity import Run, delivery_id
from streamapp.store import dead_letters
from streamapp.store.dueness import due_at, is_due, is_lost, is_too_far, wants_a_message
from streamapp.store.numbering import feed_number
from streamapp.store.often import Often
from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow, insert_or_ignore, its, of_run
from streamapp.store.upkeep import spoken_for

__all__ = [
    "Due",
    "claim",
    "due",
    "enter",
    "get",
    "give_up",
    "later",
    "of_job",
    "open_now",
    "park",
    "postpone",
    "sent",
]

SPOKEN_FOR = (
    "the store was set back to an older state, and this was being sent after that; "
    "`streamapp deliveries settle` decides"
)


THIS = deliveries.c.id == bindparam("of_id")
NUMBER = feed_number(deliveries.c.tenant)  # of what became of an attempt, for those who follow the tenant's feed
_GET = select(deliveries).where(THIS)
GET = Often(_GET)
LOCK = Often(_GET.with_for_update())
OF_JOB = Often(select(deliveries).where(of_run(deliveries)).order_by(deliveries.c.kind, deliveries.c.id))
ASKED = Often(select(spoken_for.c.delivery).where(spoken_for.c.delivery == bindparam("of_id")))
OPEN = Often(
    select(deliveries.c.recipient, (clock() - deliveries.c.created_at).label("age_s")).where(
        THIS, or_(is_due(), is_lost(), is_too_far())
    )
)
_TAKEN: dict[str, Any] = {
    "state": "sending",
    "attempts": deliveries.c.attempts + 1,
    "lease_until": clock() + bindparam("for_s", type_=Double()),
    "lease_owner": bindparam("to_owner"),
}
TAKE = Often(update(deliveries).where(THIS, is_due()).values(**_TAKEN).returning(*deliveries.c))
TAKE_OVER = Often(
    update(deliveries)
    .where(THIS, is_lost())
    .values(**_TAKEN, in_doubt=deliveries.c.in_doubt + 1)
    .returning(*deliveries.c)
)
MINE = and_(THIS, deliveries.c.state == "sending", deliveries.c.lease_owner == bindparam("of_owner"))
SENT = Often(
    update(deliveries)
    .where(MINE)
    .values(state="sent", sent_at=clock(), last_error=None, lease_until=None, lease_owner=None)
    .values(feed=NUMBER)
)
PARKED_AT_ONCE = update(deliveries).where(THIS, deliveries.c.feed.is_(None)).values(feed=NUMBER)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that needs a message; its attempts, and when the next was due (0: at once), as that was seen.

    `recipient` is given where it was entered just now.
    """

    kind: str
    id: str
    attempts: int = 0
    due_at: float = 0.0
    recipient: str = field(default="", compare=False)


def enter(connection: Connection, run: Run, event: str, kind: str, recipient: str) -> Due:
    """Enter a delivery as pending; the same one twice is entered once.

    An e-mail that was being sent in a life of the store that a backup took back is parked: it may have gone.
    """
    identity = delivery_id(run, event, kind, recipient)
    asked = kind == "email" and _spoken_for(connection, identity)
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
            "state": "parked" if asked else "pending",
            "attempts": 0,
            "in_doubt": int(asked),
            "last_error": SPOKEN_FOR if asked else None,
        },
        "created_at",
    )
    if asked:
        connection.execute(PARKED_AT_ONCE, {"of_id": identity})
    return Due(kind, identity, recipient=recipient)


def get(connection: Connection, identity: str) -> AnyRow | None:
    """The delivery's row."""
    return GET(connection, {"of_id": identity}).one_or_none()


def of_job(connection: Connection, run: Run) -> Sequence[AnyRow]:
    """The deliveries of one run of a job."""
    return OF_JOB(connection, its(run)).all()


def claim(
    connection: Connection, identity: str, token: str, lease_s: float, in_doubt: Literal["resend", "park"]
) -> AnyRow | None:
    """Take a delivery that is due, for `lease_s` seconds (at most `dueness.LONGEST_LEASE_S`).

    None when there is nothing to do for this caller now.
    """
    mine = deliveries.c.id == identity
    row = LOCK(connection, {"of_id": identity}).one_or_none()
    if row is None:
        return None
    if row.state == "pending" and row.kind == "email" and _spoken_for(connection, identity):
        _park(connection, mine, SPOKEN_FOR)
        return None
    if row.state == "sending":
        connection.execute(update(deliveries).where(mine, is_too_far()).values(lease_until=clock() + lease_s))
        if in_doubt == "park":
            _park(connection, and_(mine, is_lost()), row.last_error)
            return None
    take = TAKE_OVER if row.state == "sending" else TAKE
    return take(connection, {"of_id": identity, "for_s": lease_s, "to_owner": token}).one_or_none()


def open_now(connection: Connection, identity: str) -> AnyRow | None:
    """The `recipient` and `age_s` of a delivery that `claim` has something to do with; None for any other."""
    return OPEN(connection, {"of_id": identity}).one_or_none()


def postpone(connection: Connection, identity: str, delay_s: float) -> bool:
    """Put off a delivery that is due, untried: no attempt is counted, and the relay publishes it again.

    False when it is not due: then somebody else has settled, claimed or put it off meanwhile.
    """
    values = {"next_attempt_at": clock() + delay_s, "published_at": None}
    return (
        connection.execute(update(deliveries).where(deliveries.c.id == identity, is_due()).values(values)).rowcount == 1
    )


def sent(connection: Connection, identity: str, token: str) -> bool:
    """The other side has it. False when the claim was lost meanwhile."""
    return SENT(connection, {"of_id": identity, "of_owner": token}).rowcount == 1


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


def due(connection: Connection, grace_s: float, limit: int) -> list[Due]:
    """Deliveries that no message may be under way for: unpublished for a while, due again, or with a lost lease."""
    columns = (deliveries.c.kind, deliveries.c.id, deliveries.c.attempts, due_at())
    return [Due(*row) for row in connection.execute(select(*columns).where(wants_a_message(grace_s)).limit(limit))]


def _park(connection: Connection, which: ColumnElement[bool], reason: str | None) -> None:
    values = {"state": "parked", "in_doubt": deliveries.c.in_doubt + 1, "lease_until": None, "lease_owner": None}
    connection.execute(update(deliveries).where(which).values(**values, last_error=reason, feed=NUMBER))


def _spoken_for(connection: Connection, identity: str) -> bool:
    return ASKED(connection, {"of_id": identity}).first() is not None


def _settle(connection: Connection, identity: str, token: str, values: dict[str, Any]) -> bool:
    released = {**values, "lease_until": None, "lease_owner": None, "feed": NUMBER}
    found = connection.execute(
        update(deliveries).where(MINE).values(**released), {"of_id": identity, "of_owner": token}
    )
    return found.rowcount == 1
