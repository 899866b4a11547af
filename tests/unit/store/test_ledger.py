"""The ledger of deliveries: claimed by one, leased for a time, settled by who holds the claim."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from sqlalchemy import select

from streamapp.identity import Run, delivery_id
from streamapp.store import decisions, ledger, outbox
from streamapp.store.database import Database
from streamapp.store.dueness import LONGEST_DELAY_S
from streamapp.store.ledger import Due
from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow, insert_or_ignore
from streamapp.store.upkeep import spoken_for
from tests.unit.store.rows import put, row_of, rows_of

RUN = Run("anna", "job", 1)
LEASE_S = 90.0


def entered(database: Database) -> str:
    """A pending e-mail."""
    return database.write_sync(ledger.enter, RUN, "succeeded", "email", "reader@example.org").id


def claimed(
    database: Database, identity: str, token: str = "one", in_doubt: Literal["resend", "park"] = "resend"
) -> AnyRow | None:
    """What a claim gives."""
    return database.write_sync(ledger.claim, identity, token, LEASE_S, in_doubt)


def lose(database: Database, identity: str) -> None:
    """Let the lease run out."""
    put(database, deliveries, {"id": identity}, lease_until=clock() - 1.0)


def due(database: Database, grace_s: float = 5.0) -> list[Due]:
    """What the relay would publish now."""
    return database.read_sync(ledger.due, grace_s, 100)


def published(database: Database, *due: Due) -> None:
    """The broker has these."""
    database.write_sync(outbox.deliveries_published, due, [(0, number) for number in range(len(due))])


def test_a_delivery_is_entered_once(database: Database) -> None:
    """I expect one pending row for the same event, run and recipient, under its derived id."""
    first, second = entered(database), entered(database)
    assert first == second == delivery_id(RUN, "succeeded", "email", "reader@example.org")
    row = row_of(database, deliveries)
    assert (row.state, row.attempts, row.in_doubt) == ("pending", 0, 0)


def test_what_is_sent_is_entered_no_more(database: Database) -> None:
    """I expect a step that runs twice to leave a sent delivery as it is."""
    identity = entered(database)
    claimed(database, identity)
    database.write_sync(ledger.sent, identity, "one")
    entered(database)
    assert row_of(database, deliveries).state == "sent"


def test_one_claims(database: Database) -> None:
    """I expect the second to get nothing while the first one's lease lasts."""
    identity = entered(database)
    row = claimed(database, identity)
    assert row is not None
    assert (row.state, row.attempts, row.lease_owner) == ("sending", 1, "one")
    assert claimed(database, identity, "two") is None


def test_eight_at_once_have_one_winner(database: Database) -> None:
    """I expect exactly one claim to hold, however many try at the same moment."""
    identity = entered(database)
    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda number: claimed(database, identity, str(number)), range(8)))
    assert sum(row is not None for row in rows) == 1


def test_nothing_to_claim(database: Database) -> None:
    """I expect no claim on what is unknown, sent, dead, parked or not due yet."""
    assert claimed(database, "unknown") is None
    identity = entered(database)
    for state in ("sent", "dead", "parked"):
        put(database, deliveries, {"id": identity}, state=state)
        assert claimed(database, identity) is None
    put(database, deliveries, {"id": identity}, state="pending", next_attempt_at=clock() + 60.0)
    assert claimed(database, identity) is None
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
    assert claimed(database, identity) is not None


def test_a_lost_lease_is_claimed_again(database: Database) -> None:
    """I expect the delivery to go to another, counted as in doubt once."""
    identity = entered(database)
    claimed(database, identity)
    lose(database, identity)
    row = claimed(database, identity, "two")
    assert row is not None
    assert (row.lease_owner, row.attempts, row.in_doubt) == ("two", 2, 1)


def test_a_lost_lease_is_parked(database: Database) -> None:
    """I expect a delivery in doubt to wait for an operator, and nobody to claim it."""
    identity = entered(database)
    claimed(database, identity, in_doubt="park")
    assert claimed(database, identity, "two", in_doubt="park") is None
    assert row_of(database, deliveries).state == "sending"
    lose(database, identity)
    assert claimed(database, identity, "two", in_doubt="park") is None
    row = row_of(database, deliveries)
    assert (row.state, row.in_doubt, row.lease_owner) == ("parked", 1, None)
    assert claimed(database, identity, "three", in_doubt="park") is None
    assert due(database, 0.0) == []


@pytest.mark.parametrize("what", ["sent", "later", "give_up", "park"])
def test_a_lost_claim_can_t_write(database: Database, what: str) -> None:
    """I expect a worker that was taken for dead to change nothing with its old token."""
    identity = entered(database)
    claimed(database, identity, "dead")
    lose(database, identity)
    claimed(database, identity, "alive")
    before = row_of(database, deliveries)
    assert settle(database, what, identity, "dead") is False
    assert row_of(database, deliveries) == before
    assert settle(database, what, identity, "alive") is True
    assert settle(database, what, identity, "alive") is False


def settle(database: Database, what: str, identity: str, token: str) -> bool:
    """Settle a claim in one of the ways there are."""
    match what:
        case "sent":
            return database.write_sync(ledger.sent, identity, token)
        case "later":
            return database.write_sync(ledger.later, identity, token, "421 busy", 30.0)
        case "give_up":
            return database.write_sync(ledger.give_up, identity, token, "550 unknown")
        case _:
            return database.write_sync(ledger.park, identity, token, "the connection broke")


def test_later_is_later(database: Database) -> None:
    """I expect a failed attempt to be pending again, unpublished, and due when its time has come."""
    identity = entered(database)
    published(database, Due("email", identity))
    claimed(database, identity)
    settle(database, "later", identity, "one")
    row = row_of(database, deliveries)
    assert (row.state, row.last_error, row.lease_owner, row.published_at) == ("pending", "421 busy", None, None)
    assert claimed(database, identity, "two") is None
    assert due(database, 0.0) == []
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
    assert [(each.id, each.attempts) for each in due(database)] == [(identity, 1)]
    assert claimed(database, identity, "two") is not None


def test_an_attempt_in_doubt_is_counted(database: Database) -> None:
    """I expect a connection that broke after DATA to be on record when it is tried again."""
    identity = entered(database)
    claimed(database, identity)
    database.write_sync(ledger.later, identity, "one", "the connection broke", 5.0, in_doubt=True)
    assert row_of(database, deliveries).in_doubt == 1


def test_a_new_delivery_is_due_after_the_grace(database: Database) -> None:
    """I expect the relay to leave it to who entered it at first, and to publish it once."""
    identity = entered(database)
    assert due(database) == []
    put(database, deliveries, {"id": identity}, created_at=clock() - 6.0)
    (found,) = due(database)
    assert found == Due("email", identity, 0)
    published(database, found)
    assert due(database) == []


def test_noting_the_publication_late_takes_back_no_retry(database: Database) -> None:
    """I expect an attempt that failed before its message was noted as published to be due again all the same."""
    identity = entered(database)
    claimed(database, identity)
    settle(database, "later", identity, "one")
    published(database, Due("email", identity, 0))
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
    assert [(each.id, each.attempts) for each in due(database)] == [(identity, 1)]


def test_a_lost_lease_is_due_and_not_every_second(database: Database) -> None:
    """I expect the relay to publish it, and again only when nobody came for a while."""
    identity = entered(database)
    claimed(database, identity)
    assert due(database, 0.0) == []
    lose(database, identity)
    (found,) = due(database)
    published(database, found)
    assert due(database) == []
    put(database, deliveries, {"id": identity}, published_at=clock() - 6.0)
    assert due(database) == [found]


def test_settled_deliveries_are_never_due(database: Database) -> None:
    """I expect the relay to leave sent, dead and parked ones alone."""
    for what in ("sent", "give_up", "park"):
        identity = database.write_sync(ledger.enter, RUN, "succeeded", "email", f"{what}@example.org").id
        claimed(database, identity)
        assert settle(database, what, identity, "one")
    assert due(database, 0.0) == []
    states = {row.recipient.partition("@")[0]: row.state for row in rows_of(database, deliveries)}
    assert states == {"sent": "sent", "give_up": "dead", "park": "parked"}


def test_a_job_s_deliveries(database: Database) -> None:
    """I expect those of that run and no others."""
    identity = entered(database)
    database.write_sync(ledger.enter, Run("anna", "job", 2), "succeeded", "email", "reader@example.org")
    assert [row.id for row in database.read_sync(ledger.of_job, RUN)] == [identity]


def test_what_is_put_off_is_due_later(database: Database) -> None:
    """I expect no attempt to be counted, nobody to claim it before its time, and the relay to publish it then."""
    identity = entered(database)
    published(database, Due("email", identity))
    assert database.write_sync(ledger.postpone, identity, 30.0)
    row = row_of(database, deliveries)
    assert (row.state, row.attempts, row.published_at, row.last_error) == ("pending", 0, None, None)
    assert claimed(database, identity) is None
    assert due(database) == []
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
    assert [each.id for each in due(database)] == [identity]
    assert claimed(database, identity) is not None


def test_what_is_not_due_is_not_put_off(database: Database) -> None:
    """I expect a second message to change nothing for a delivery that waits, is being sent or is settled."""
    identity = entered(database)
    database.write_sync(ledger.postpone, identity, 30.0)
    waiting = row_of(database, deliveries)
    assert not database.write_sync(ledger.postpone, identity, 1.0)
    assert row_of(database, deliveries) == waiting
    for state in ("sending", "sent", "dead", "parked"):
        put(database, deliveries, {"id": identity}, state=state, next_attempt_at=None)
        assert not database.write_sync(ledger.postpone, identity, 1.0)
        assert row_of(database, deliveries).state == state
    assert not database.write_sync(ledger.postpone, "unknown", 1.0)


def test_noting_the_publication_late_takes_back_no_postponement(database: Database) -> None:
    """I expect what was put off before its message was noted as published to be published again all the same."""
    identity = entered(database)
    database.write_sync(ledger.postpone, identity, 1.0)
    published(database, Due("email", identity))
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
    (found,) = due(database)
    database.write_sync(ledger.postpone, identity, 1.0)
    published(database, found)
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 2.0)
    assert [each.id for each in due(database)] == [identity]


def test_what_a_message_is_about(database: Database) -> None:
    """I expect the recipient and the age of what may be claimed, and nothing of what may not."""
    identity = entered(database)
    put(database, deliveries, {"id": identity}, created_at=clock() - 100.0)
    found = database.read_sync(ledger.open_now, identity)
    assert found is not None
    assert found.recipient == "reader@example.org"
    assert 99.0 < found.age_s < 160.0
    claimed(database, identity)
    assert database.read_sync(ledger.open_now, identity) is None
    lose(database, identity)
    assert database.read_sync(ledger.open_now, identity) is not None
    assert database.read_sync(ledger.open_now, "unknown") is None


HOUR_S = 3600.0


def test_a_lease_of_a_clock_that_was_set_back_is_counted_anew(database: Database) -> None:
    """I expect its owner, who may be talking, to have one lease's time more, and not the hour."""
    identity = entered(database)
    claimed(database, identity, "one")
    put(database, deliveries, {"id": identity}, lease_until=clock() + LEASE_S + HOUR_S)
    assert [each.id for each in due(database)] == [identity]
    assert database.read_sync(ledger.open_now, identity) is not None
    assert claimed(database, identity, "two") is None
    assert due(database) == []
    left = database.read_sync(lambda c: c.execute(select(deliveries.c.lease_until - clock())).scalar_one())
    assert LEASE_S - 60.0 < left <= LEASE_S
    assert row_of(database, deliveries).lease_owner == "one"
    lose(database, identity)
    assert claimed(database, identity, "two") is not None


def test_what_waits_by_a_clock_that_was_set_back_is_due(database: Database) -> None:
    """I expect a retry, a new delivery and a lost lease to be found at once, and not an hour later."""
    identity = entered(database)
    put(database, deliveries, {"id": identity}, next_attempt_at=clock() + HOUR_S + 5.0)
    assert [each.id for each in due(database)] == [identity]
    put(database, deliveries, {"id": identity}, next_attempt_at=None, created_at=clock() + HOUR_S)
    assert [each.id for each in due(database)] == [identity]
    claimed(database, identity)
    put(database, deliveries, {"id": identity}, lease_until=clock() - 1.0, published_at=clock() + HOUR_S)
    assert [each.id for each in due(database)] == [identity]


def test_the_longest_delay_is_waited_for(database: Database) -> None:
    """I expect what may wait by a clock that is right to wait."""
    identity = entered(database)
    claimed(database, identity)
    database.write_sync(ledger.later, identity, "one", "421 busy", LONGEST_DELAY_S)
    assert due(database) == []
    assert claimed(database, identity) is None


def speak_for(database: Database, identity: str) -> None:
    """Note, as a restore of an older store does, that this was at work after the backup."""
    row = {"delivery": identity, "noted_at": 0.0}
    assert database.write_sync(insert_or_ignore, spoken_for, row)


def test_an_e_mail_of_a_life_that_was_taken_back_is_parked(database: Database) -> None:
    """I expect an operator to be asked, with the reason; a notification, which is in no inbox any more, is entered."""
    for kind, recipient in (("email", "reader@example.org"), ("notification", "anna")):
        speak_for(database, delivery_id(RUN, "succeeded", kind, recipient))
    identity = entered(database)
    database.write_sync(ledger.enter, RUN, "succeeded", "notification", "anna")
    row = row_of(database, deliveries, kind="email")
    assert (row.state, row.in_doubt, row.last_error) == ("parked", 1, ledger.SPOKEN_FOR)
    assert "`streamapp deliveries settle`" in row.last_error
    assert claimed(database, identity) is None
    assert row_of(database, deliveries, kind="notification").state == "pending"
    assert [each.id for each in database.read_sync(decisions.parked, 9)] == [identity]


def test_a_pending_e_mail_of_a_life_that_was_taken_back_is_parked(database: Database) -> None:
    """I expect one that the backup has as pending, but that was sent after it, to be asked about before it goes."""
    identity = entered(database)
    speak_for(database, identity)
    assert claimed(database, identity) is None
    row = row_of(database, deliveries)
    assert (row.state, row.in_doubt, row.last_error) == ("parked", 1, ledger.SPOKEN_FOR)


@pytest.mark.parametrize("decision", ["sent", "resend"])
def test_what_is_settled_is_asked_about_no_more(database: Database, decision: str) -> None:
    """I expect the operator's word to hold: sent, or sent again."""
    speak_for(database, delivery_id(RUN, "succeeded", "email", "reader@example.org"))
    identity = entered(database)
    decide = {"sent": decisions.settle_sent, "resend": decisions.settle_resend}[decision]
    put(database, deliveries, {"id": identity}, state="pending")
    assert not database.write_sync(decide, identity)
    assert claimed(database, identity) is None
    assert database.write_sync(decide, identity)
    assert not database.write_sync(decide, identity)
    assert (claimed(database, identity) is not None) == (decision == "resend")
    assert rows_of(database, spoken_for) == []
