"""Dead letters: one row for what failed, however often it was redriven, and what an operator may do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from streamapp.store import dead_letters, decisions, ledger, upkeep
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter, Letter
from streamapp.store.schema import deliveries
from tests.unit.store.rows import reserved

POISON = Letter(
    topic="inference",
    partition=2,
    offset=7,
    reason="Invalid JSON",
    at=1000.0,
    key=None,
    value=b"\xff",
    tenant=None,
    job=None,
    origin=None,
)


def test_the_same_message_twice_is_one_row(database: Database) -> None:
    """The dead-letter agent may see a message again; nothing changes."""
    for _ in range(2):
        database.write_sync(dead_letters.note, POISON)

    (row,) = database.read_sync(dead_letters.matching, Filter(), 10)
    assert (row.state, row.attempts, row.value) == ("open", 1, b"\xff")


def test_how_many_are_open(database: Database) -> None:
    """An operator's count has everybody's and what is nobody's, a tenant's its own; what is settled is in none."""
    for offset, tenant in enumerate((None, "anna", "anna", "bert")):
        database.write_sync(dead_letters.note, replace(POISON, offset=offset, tenant=tenant))
    counts = [database.read_sync(dead_letters.count_open, tenant) for tenant in (None, "anna", "bert", "carl")]
    assert counts == [4, 2, 1, 0]

    (letter,) = database.read_sync(dead_letters.matching, Filter(tenant="bert"), 10)
    database.write_sync(dead_letters.discard, letter.id)
    assert [database.read_sync(dead_letters.count_open, tenant) for tenant in (None, "bert")] == [3, 0]


def test_a_redriven_message_that_fails_again_is_the_same_row(database: Database) -> None:
    """It is open again, stands where it failed last, and has one attempt more; first seen stays."""
    database.write_sync(dead_letters.note, POISON)
    (row,) = database.read_sync(dead_letters.matching, Filter(), 10)
    assert database.write_sync(dead_letters.redriven, row.id)
    again = replace(POISON, offset=9, at=2000.0, origin=row.id)

    for _ in range(2):
        database.write_sync(dead_letters.note, again)

    (row,) = database.read_sync(dead_letters.matching, Filter(state=None), 10)
    assert (row.state, row.offset, row.attempts, row.first_seen, row.last_seen) == ("open", 9, 2, 1000.0, 2000.0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), 2),
        (Filter(topic="results"), 1),
        (Filter(reason="invalid"), 1),
        (Filter(reason="%"), 0),  # no wildcard
        (Filter(state="redriven"), 0),
        (Filter(state=None, before=1), 0),
    ],
)
def test_filters(database: Database, wanted: Filter, found: int) -> None:
    """Each part of the filter narrows."""
    database.write_sync(dead_letters.note, POISON)
    database.write_sync(dead_letters.note, replace(POISON, topic="results", reason="namespace"))

    assert len(database.read_sync(dead_letters.matching, wanted, 10)) == found


def test_a_discarded_one_is_not_open_and_not_discarded_twice(database: Database) -> None:
    """Discarding tells whether it did anything."""
    database.write_sync(dead_letters.note, POISON)
    (row,) = database.read_sync(dead_letters.matching, Filter(), 10)

    assert database.write_sync(dead_letters.discard, row.id)
    assert not database.write_sync(dead_letters.discard, row.id)
    assert not database.write_sync(dead_letters.redriven, row.id)
    assert not database.read_sync(dead_letters.matching, Filter(), 10)


def test_a_delivery_that_is_given_up_is_a_dead_letter_and_can_be_revived(database: Database) -> None:
    """Given up twice it is still one row, with all attempts; revived it is due again from the first attempt."""
    run = reserved(database)
    due = database.write_sync(ledger.enter, run, "succeeded", "email", "a@example.org")
    for _ in range(2):
        assert database.write_sync(ledger.claim, due.id, "token", 60.0, "resend")
        assert database.write_sync(ledger.give_up, due.id, "token", "550 no such user")
        (row,) = database.read_sync(dead_letters.matching, Filter(job=run.job), 10)
        assert database.write_sync(decisions.revive, due.id)
        assert database.write_sync(dead_letters.redriven, row.id)

    (row,) = database.read_sync(dead_letters.matching, Filter(state="redriven"), 10)
    assert (row.delivery, row.attempts, row.tenant) == (due.id, 2, run.tenant)
    delivery = database.read_sync(ledger.get, due.id)
    assert delivery is not None
    assert (delivery.state, delivery.attempts, delivery.published_at) == ("pending", 0, None)
    assert not database.write_sync(decisions.revive, due.id)


@pytest.mark.parametrize(("settle", "state"), [(decisions.settle_sent, "sent"), (decisions.settle_resend, "pending")])
def test_only_a_parked_delivery_can_be_settled(database: Database, settle: object, state: str) -> None:
    """One that is merely pending stays as it is."""
    run = reserved(database)
    due = database.write_sync(ledger.enter, run, "succeeded", "email", "a@example.org")
    assert callable(settle)
    assert not database.write_sync(settle, due.id)
    database.write_sync(lambda connection: connection.execute(update(deliveries).values(state="parked")))

    assert [row.id for row in database.read_sync(decisions.parked, 10)] == [due.id]
    assert database.write_sync(settle, due.id)
    row = database.read_sync(ledger.get, due.id)
    assert row is not None
    assert row.state == state


def test_a_topic_by_its_short_name(database: Database) -> None:
    """I expect a topic to be found as the pages call it and as the broker does, and no other with such an end."""
    same = {"state": "open", "reason": "bad", "attempts": 1, "first_seen": 1.0, "last_seen": 1.0}
    topics = ("streamapp.email", "streamapp.bulkemail", "other")
    rows = [{"source": topic, "topic": topic, **same} for topic in topics]
    database.write_sync(lambda connection: connection.execute(insert(upkeep.dead_letters), rows))
    for name in ("email", "streamapp.email"):
        (found,) = database.read_sync(dead_letters.matching, Filter(topic=name), 10)
        assert found.topic == "streamapp.email"


@pytest.mark.parametrize(("topic", "found"), [("email", 1), ("streamapp.email", 1), ("webhook", 0), ("mail", 0)])
def test_a_delivery_that_is_given_up_is_of_its_topic(database: Database, topic: str, found: int) -> None:
    """I expect all e-mails that were given up to be found together, though no message of theirs is a dead letter."""
    run = reserved(database)
    due = database.write_sync(ledger.enter, run, "succeeded", "email", "a@example.org")
    assert database.write_sync(ledger.claim, due.id, "token", 60.0, "resend")
    assert database.write_sync(ledger.give_up, due.id, "token", "550 no such user")
    assert len(database.read_sync(dead_letters.matching, Filter(topic=topic), 10)) == found
