"""What a Flask site publishes by itself, forked or preloaded: no worker runs here, so nobody else can have done it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import Connection, select

from streamapp.documents.claim import Blobs
from streamapp.jobs.publish import run_of
from streamapp.jobs.reservation import job_message
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.schema import jobs
from streamapp.store.sql import AnyRow
from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import until
from streamapp.topics import provision
from tests.integration.gunicorn_site import GunicornSite
from tests.integration.test_broker_away import frozen

JOBS = 60


class Storeroom:
    """A store and topics, and nobody who works on them."""

    def __init__(self, broker: str, home: Path) -> None:
        self.settings = Settings(home=home, broker=broker, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
        home.mkdir(parents=True)
        self.database = Database(self.settings.store_url)
        migrate(self.database)
        Blobs(self.settings.blobs)  # makes its folder, as a worker does that starts
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")},
            "STREAMAPP_HOME": str(home),
            "STREAMAPP_BROKER": broker,
            "STREAMAPP_TOPIC_PREFIX": self.settings.topic_prefix,
            "STREAMAPP_ONLY_TASKS": "echo",
            "STREAMAPP_DEFAULT_TASK": "echo",
            "STREAMAPP_KEYS": "off-and-anyone-may-use-this",
        }

    def rows(self) -> Sequence[AnyRow]:
        """All jobs."""
        return self.database.read_sync(_jobs)

    def published(self) -> Sequence[AnyRow]:
        """All jobs, once there is none that is not published."""

        def look() -> Sequence[AnyRow] | None:
            rows = self.rows()
            return rows if all(row.published_at for row in rows) else None

        return until(look, 30, "the site to publish")

    def messages(self) -> dict[tuple[int, int], bytes]:
        """All there are in the topic of jobs, by partition and offset."""
        topic = f"{self.settings.topic_prefix}inference"
        consumer = Consumer({"bootstrap.servers": self.settings.broker, "group.id": uuid.uuid4().hex})
        found: dict[tuple[int, int], bytes] = {}
        try:
            parts = [TopicPartition(topic, number, 0) for number in range(self.settings.topic_partitions)]
            ends = sum(consumer.get_watermark_offsets(part, 10)[1] for part in parts)
            consumer.assign(parts)
            while len(found) < ends:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                found[message.partition() or 0, message.offset() or 0] = message.value() or b""
        finally:
            consumer.close()
        return found


def _jobs(connection: Connection) -> Sequence[AnyRow]:
    return connection.execute(select(jobs)).all()


@pytest.fixture
def new_storeroom(broker: str, tmp_path: Path) -> Iterator[Callable[[], Storeroom]]:
    """Makes storerooms whose topics are not there yet."""
    made: list[Storeroom] = []

    def make() -> Storeroom:
        made.append(Storeroom(broker, tmp_path / f"home{len(made)}"))
        return made[-1]

    yield make
    for each in made:
        each.database.close()


async def make_topics(storeroom: Storeroom) -> None:
    """As a worker does when it starts."""
    await provision(storeroom.settings, ())


def post_all(site: GunicornSite, count: int = JOBS) -> list[str]:
    """Their ids, in no order."""

    def post(number: int) -> str:
        answer = site.http.post("/v1/jobs", json={"task": "echo", "text": f"Text {number}. é", "email": "a@localhost"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(12) as threads:
        return list(threads.map(post, range(count)))


@pytest.mark.parametrize("flags", [(), ("--preload",)])
async def test_the_very_same_messages(
    new_storeroom: Callable[[], Storeroom], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """One for each accepted job, its bytes those that a worker sends, at the place that the outbox names, in turn."""
    storeroom = new_storeroom()
    await make_topics(storeroom)
    with GunicornSite(tmp_path, storeroom.environment, *flags) as site:
        ids = post_all(site)
        rows = storeroom.published()
    messages = storeroom.messages()
    assert sorted(row.id for row in rows) == sorted(ids)
    assert len(messages) == len(ids) == JOBS
    for row in rows:
        assert messages[row.sent_partition, row.sent_offset] == job_message(run_of(row), row).dumps()
    assert len({row.sent_partition for row in rows}) > storeroom.settings.topic_partitions / 2


async def test_what_waits_is_published_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM while the broker stands still: once it goes on, what was accepted is published before gunicorn ends."""
    monkeypatch.delenv("STREAMAPP_TEST_BROKER", raising=False)  # a shared one must not be frozen
    with kafka_broker() as address:
        storeroom = Storeroom(address, tmp_path / "home")
        await make_topics(storeroom)
        with GunicornSite(tmp_path, storeroom.environment) as site:
            post_all(site, 20)
            storeroom.published()
            with frozen(address):
                post_all(site, 20)
                site.terminate()
                until(lambda: site.log.read_text().count("Worker exiting") == 2, 30, "the workers to leave")
            site.wait()
        rows = storeroom.rows()
        storeroom.database.close()
    assert len(rows) == 40
    assert all(row.published_at for row in rows)


async def test_topics_that_come_later(new_storeroom: Callable[[], Storeroom], tmp_path: Path) -> None:
    """A site that was there before them accepts all the same, and publishes what comes once they are there."""
    storeroom = new_storeroom()
    with GunicornSite(tmp_path, storeroom.environment) as site:
        first = post_all(site, 2)
        until(lambda: "left to the relay" in site.log.read_text(), 30, "the site to find no topic")
        await make_topics(storeroom)
        later = post_all(site, 12)
        until(lambda: {row.id for row in storeroom.rows() if row.published_at} >= set(later), 30, "the later ones")
    assert not [row for row in storeroom.rows() if row.id in first and row.published_at]
