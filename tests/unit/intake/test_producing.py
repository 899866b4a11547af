"""Publishing from a site, with a producer of the test's own: what is noted, and what is left to the relay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy import Connection, select

import streamapp.intake.producing as module
from streamapp.elsewhere import at_once
from streamapp.intake.producing import Producing
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.reservations import reserve
from streamapp.store.schema import jobs
from streamapp.store.sql import AnyRow
from streamapp.testing.deployment import until
from tests.unit.store.rows import new_job

TOPIC = "streamapp.inference"
FATAL = KafkaError(KafkaError._FATAL, "fenced", fatal=True)


class Broker:
    """A producer, and the broker behind it. `held`: it acknowledges nothing until this is set."""

    made: ClassVar[list[Broker]] = []
    held: ClassVar[threading.Event] = threading.Event()
    error: ClassVar[KafkaError | None] = None
    topics: ClassVar[dict[str, int]] = {}

    def __init__(self, options: dict[str, Any], logger: Any) -> None:
        assert options["acks"] == "all"
        assert options["enable.idempotence"] is True
        self.sent: list[tuple[int, Callable[..., None]]] = []
        self.offset = 0
        self.made.append(self)

    def list_topics(self, timeout: float) -> Any:
        """Those there are."""
        found = {name: type("T", (), {"partitions": range(number)}) for name, number in self.topics.items()}
        return type("Topics", (), {"topics": found})

    def produce(self, topic: str, value: bytes, partition: int, on_delivery: Callable[..., None]) -> None:
        """Take one."""
        assert topic == TOPIC
        self.sent.append((partition, on_delivery))

    def poll(self, timeout: float) -> None:
        """Acknowledge what was taken."""
        if not self.held.wait(timeout):
            return
        for partition, told in self.sent:
            self.offset += 1
            place = {"partition": lambda partition=partition: partition, "offset": lambda offset=self.offset: offset}
            told(self.error, type("Message", (), {k: staticmethod(v) for k, v in place.items()}))
        self.sent.clear()


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers at once, and has the topic."""
    monkeypatch.setattr(module, "Producer", Broker)
    Broker.made, Broker.held, Broker.error, Broker.topics = [], threading.Event(), None, {TOPIC: 8}
    Broker.held.set()


@pytest.fixture
def producing(database: Database) -> Iterator[Producing]:
    """It, and its end."""
    made = Producing(database, Settings(broker="127.0.0.1:1"))
    yield made
    Broker.held.set()
    made.close(10)


def accepted(database: Database, producing: Producing, count: int = 1) -> None:
    """So many jobs, reserved and left to it."""
    rows = [database.write_sync(reserve, new_job()).row for _ in range(count)]
    at_once(producing.accepted(rows))


def places(database: Database) -> list[tuple[int, int]]:
    """Where the outbox says that jobs are."""

    def look(connection: Connection) -> list[AnyRow]:
        return list(connection.execute(select(jobs).where(jobs.c.published_at.is_not(None))))

    return [(row.sent_partition, row.sent_offset) for row in database.read_sync(look)]


def test_places_are_noted(database: Database, producing: Producing) -> None:
    """I expect each job's to be in the outbox, over several partitions, by one producer."""
    accepted(database, producing, 40)
    until(lambda: len(places(database)) == 40, 10, "the notes")
    assert len({partition for partition, _ in places(database)}) > 3
    assert len(Broker.made) == 1


def test_nobody_waits_for_the_broker(database: Database, producing: Producing) -> None:
    """I expect who leaves a job here to go on at once, and the end to publish what waits, in the time it has."""
    Broker.held.clear()
    accepted(database, producing, 3)
    assert places(database) == []
    threading.Timer(0.3, Broker.held.set).start()
    producing.close(10)
    assert len(places(database)) == 3


def test_the_end_is_bounded(database: Database, producing: Producing) -> None:
    """I expect a broker that says nothing to hold up nobody; the store still says that it has to be published."""
    Broker.held.clear()
    accepted(database, producing)
    producing.close(0.1)
    assert places(database) == []


def test_what_is_old_is_the_relays(database: Database, producing: Producing, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what has waited for so long that a worker has published it not to be published again."""
    monkeypatch.setattr(module, "RELAYED_S", -1.0)
    accepted(database, producing)
    producing.close(10)
    assert places(database) == []
    assert Broker.made == []


def test_not_more_wait_than_may(database: Database, producing: Producing, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the rest to be left to the relay, instead of memory that grows while the broker is away."""
    monkeypatch.setattr(module, "LONGEST", 5)
    Broker.held.clear()
    for _ in range(30):
        accepted(database, producing)
    assert producing._rows.qsize() <= 6


@pytest.mark.parametrize(("error", "producers"), [(FATAL, 2), (KafkaError(KafkaError._MSG_TIMED_OUT), 1)])
def test_what_fails_is_left_and_the_next_is_not(
    database: Database, producing: Producing, error: KafkaError, producers: int
) -> None:
    """I expect a failed one to stay unpublished, a new producer after an error that ends the old one, and to go on."""
    Broker.error = error
    accepted(database, producing)
    until(lambda: producing._partitions == 0 and Broker.made, 10, "the failure")
    until(lambda: not Broker.made[0].sent, 10, "the failure to be told")
    Broker.error = None
    accepted(database, producing)
    until(lambda: len(places(database)) == 1, 10, "the next one")
    assert len(Broker.made) == producers


def test_a_topic_that_is_not_there(database: Database, producing: Producing) -> None:
    """I expect it not to be made by asking for it, and to be used once it is there."""
    Broker.topics = {}
    accepted(database, producing)
    until(lambda: Broker.made, 10, "the attempt")
    Broker.topics = {TOPIC: 8}

    def look() -> list[tuple[int, int]]:
        accepted(database, producing)
        return places(database)

    until(look, 10, "the next one")


def test_failures_of_librdkafka_are_no_end(
    database: Database, producing: Producing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the thread to go on after whatever was raised in it."""
    raised = threading.Event()

    def breaks(*_: Any, **__: Any) -> None:
        raised.set()
        raise KafkaException(KafkaError(KafkaError._QUEUE_FULL))

    with monkeypatch.context() as patch:
        patch.setattr(Broker, "produce", breaks)
        accepted(database, producing)
        assert raised.wait(10)
    accepted(database, producing)
    until(lambda: places(database), 10, "the next one")
