"""One worker sweeps at a time, and what one call publishes no other does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from faust.types import TopicT

from streamapp.errors import BrokerUnavailable
from streamapp.identity import Run
from streamapp.jobs import publish, sweep
from streamapp.jobs.publish import KINDS, Publisher
from streamapp.jobs.sweep import LEASE, Sweeper
from streamapp.sending import Place
from streamapp.store import jobs as job_rows
from streamapp.store import leases, ledger, outbox
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.schema import clock, deliveries, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import leases as lease_rows
from streamapp.tasks.contract import Report
from streamapp.topics import TopicNames
from tests.unit.jobs.test_way import Way
from tests.unit.store.rows import put, reserved, row_of, rows_of

REPORT = Report(subject="Done", text="All of it.")


async def stopped(sweeper: Sweeper) -> None:
    """Run until it is stopped, which is soon."""
    running = asyncio.create_task(sweeper.run())
    await asyncio.sleep(0.1)
    sweeper.stop()
    async with asyncio.timeout(5):
        await running


async def test_one_of_two_sweeps(database: Database) -> None:
    """I expect the second to do nothing at all while the first has the lease, and all of it once that ran out."""
    way = Way(database, REPORT)
    second = way.another_sweeper(database)
    await way.sweeper.sweep(0.0)
    await asyncio.sleep(0.01)
    left, looks = reserved(database), way.lost.looks
    await second.sweep(0.0)
    assert (way.publisher.runs, way.lost.looks) == ([], looks)
    put(database, lease_rows, {"name": LEASE}, lease_until=clock() - 0.1)
    await second.sweep(0.0)
    assert way.publisher.runs == [left]
    assert row_of(database, lease_rows).owner == second.owner


async def test_who_stops_gives_the_lease_back(database: Database) -> None:
    """I expect the next one to sweep at once, and one that stops without it to give back nothing."""
    way = Way(database, REPORT)
    second, third = way.another_sweeper(database), way.another_sweeper(database)
    await stopped(way.sweeper)
    assert rows_of(database, lease_rows) == []
    await second.sweep(0.0)
    await stopped(third)
    assert row_of(database, lease_rows).owner == second.owner


async def test_a_part_that_takes_too_long_costs_the_lease(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the rest of a round to be left to the one who took the lease meanwhile."""
    monkeypatch.setattr(sweep, "RENEW_S", 0.0)
    way = Way(database, REPORT)
    late = reserved(database, deadline=1.0)

    async def long(runs: Sequence[Run]) -> None:
        put(database, lease_rows, {"name": LEASE}, lease_until=clock() - 0.1)
        assert database.write_sync(leases.hold, LEASE, "another", 5.0)

    monkeypatch.setattr(way.publisher, "jobs", long)
    await way.sweeper.sweep(0.0)
    assert row_of(database, jobs, id=late.job).status == "queued"


async def test_a_look_that_hangs_holds_up_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect sweeps to go on while a look waits for the broker, and not to begin a second one."""
    monkeypatch.setattr(sweep, "LOOK_S", 0.0)
    way = Way(database, REPORT)
    way.lost.gate.clear()
    for _ in range(3):
        async with asyncio.timeout(5):
            await way.sweeper.sweep(0.0)
        await asyncio.sleep(0.01)
    assert way.lost.looks == 1
    way.lost.gate.set()
    await asyncio.sleep(0.01)
    await way.sweeper.sweep(0.0)
    await asyncio.sleep(0.01)
    assert way.lost.looks == 2


class Broker:
    """Takes messages while `gate` is set, and refuses them while it is `away`."""

    def __init__(self) -> None:
        self.sent = 0
        self.given: list[list[int]] = []
        self.away = False
        self.gate = asyncio.Event()

    async def has(self, count: int) -> None:
        """Return once so many were sent."""
        async with asyncio.timeout(30):
            while self.sent < count:
                await asyncio.sleep(0.005)

    async def send_acked(
        self, topic: TopicT, records: Sequence[Any], partitions: Sequence[int], in_a_row: int
    ) -> list[Place]:
        """Where they are."""
        self.sent += len(records)
        self.given.append(list(partitions))
        await self.gate.wait()
        if self.away:
            raise BrokerUnavailable("it is away")
        return [Place(3, 100 + number) for number in range(len(records))]


def publishing(database: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[Broker, Publisher]:
    """A publisher of jobs, and what it sends to."""
    broker, names = Broker(), TopicNames("t.")
    monkeypatch.setattr(publish, "send_acked", broker.send_acked)
    return broker, Publisher(database, {names.inference: cast(TopicT, None)}, names)


async def test_what_is_being_published_is_not_published_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a job that the broker takes long for to be left to the one who is at it, until that is over."""
    broker, publisher = publishing(database, monkeypatch)
    one, other = reserved(database), reserved(database)
    first = asyncio.create_task(publisher.jobs([one]))
    await broker.has(1)
    second = asyncio.create_task(publisher.jobs([one, other]))
    await broker.has(2)
    assert broker.sent == 2
    broker.away = True
    broker.gate.set()
    await asyncio.gather(first, second)
    assert len(database.read_sync(outbox.unpublished_jobs, 0.0, 10)) == 2
    broker.away = False
    await publisher.jobs([one, other])
    assert broker.sent == 4
    assert [(row.sent_partition, row.sent_offset) for row in rows_of(database, jobs)] == [(3, 100), (3, 101)]


async def test_what_was_noted_while_the_relay_read_is_not_published_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a job that the relay read before its note was written to be sent once."""
    broker, publisher = publishing(database, monkeypatch)
    one = reserved(database)
    first = asyncio.create_task(publisher.jobs([one]))
    await broker.has(1)

    async def read_early() -> Sequence[Any]:
        rows = await database.read(outbox.unpublished_jobs, 0.0, 10)
        broker.gate.set()
        await first
        return rows

    left = await publisher.left(read_early(), publish.run_of)
    await publisher.jobs([publish.run_of(row) for row in left])
    assert broker.sent == 1
    assert row_of(database, jobs, id=one.job).published_at is not None


async def test_what_was_published_while_the_relay_read_is_not_published_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a job whose publication began after the relay's reading, and ended before it, to be sent once."""
    broker, publisher = publishing(database, monkeypatch)
    one = reserved(database)
    broker.gate.set()

    async def read_early() -> Sequence[Any]:
        rows = await database.read(outbox.unpublished_jobs, 0.0, 10)
        await publisher.jobs([one])
        return rows

    left = await publisher.left(read_early(), publish.run_of)
    await publisher.jobs([publish.run_of(row) for row in left])
    assert broker.sent == 1
    broker.away = True
    await publisher.jobs([other := reserved(database)])
    again = await publisher.left(database.read(outbox.unpublished_jobs, 0.0, 10), publish.run_of)
    assert [publish.run_of(row) for row in again] == [other]


async def test_deliveries_that_come_together_are_published_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect each kind on its own topic, one sending for all that come behind another, and each noted where it is."""
    broker = Broker()
    sent: list[tuple[str, int]] = []

    async def send_acked(topic: Any, records: Sequence[Any], *given: Any) -> list[Place]:
        sent.append((topic, len(records)))
        return await broker.send_acked(topic, records, *given)

    monkeypatch.setattr(publish, "send_acked", send_acked)
    names = TopicNames("t.")
    topics = {name: cast(TopicT, name) for name in (names.email, names.notification, names.webhook)}
    publisher = Publisher(database, topics, names)
    due = [
        database.write_sync(ledger.enter, reserved(database), "succeeded", kind, "anna")
        for _ in range(5)
        for kind in KINDS
    ]
    first = asyncio.create_task(publisher.deliveries(due[:3]))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(publisher.deliveries(due[at : at + 3])) for at in (3, 6, 9, 12)]
    await asyncio.sleep(0.05)
    broker.gate.set()
    await asyncio.gather(first, *others)
    assert sorted(sent) == sorted((name, count) for name in topics for count in (1, 4))
    places = sorted((row.kind, row.sent_partition, row.sent_offset) for row in rows_of(database, deliveries))
    expected = [(kind, 3, 100 + at) for kind in KINDS for at in (0, 0, 1, 2, 3)]
    assert places == sorted(expected)


async def test_jobs_go_where_they_are_told_to(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a job that is begun here to go to these partitions, and any other one to all that there are."""
    broker, publisher = publishing(database, monkeypatch)
    broker.gate.set()
    publisher.partitions = {TopicNames("t.").inference: 3}
    rows = [cast(AnyRow, await database.read(job_rows.get, reserved(database))) for _ in range(2)]
    await publisher.accepted(rows[:1], [7])
    await publisher.accepted(rows[1:])
    assert broker.given == [[7], [0, 1, 2]]


class FakeMails:
    """Notes what it is told, and how much was sent by then."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.told: list[tuple[str, int, list[str]]] = []

    def expect(self, due: Sequence[Due]) -> None:
        """Their messages are about to be sent."""
        self.told.append(("expect", self._broker.sent, [each.kind for each in due]))

    def begin(self, due: Sequence[Due]) -> None:
        """The broker has them."""
        self.told.append(("begin", self._broker.sent, [each.kind for each in due]))


async def test_e_mails_are_begun_once_the_broker_has_them(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect none to be sent of which no topic knows, and other kinds to be none of the mailer's."""
    broker, _ = publishing(database, monkeypatch)
    names = TopicNames("t.")
    topics = {name: cast(TopicT, name) for name in (names.email, names.notification)}
    mails = FakeMails(broker)
    publisher = Publisher(database, topics, names, mails=mails)
    run = reserved(database)
    due = [database.write_sync(ledger.enter, run, "succeeded", kind, "anna") for kind in ("email", "notification")]
    sending = asyncio.create_task(publisher.deliveries(due))
    await broker.has(2)
    assert [what for what, _, _ in mails.told] == ["expect"]
    broker.gate.set()
    await sending
    assert mails.told == [("expect", 0, ["email"]), ("begin", 2, ["email"])]
    broker.away = True
    await publisher.deliveries(due)
    assert [what for what, _, _ in mails.told] == ["expect", "begin", "expect"]
