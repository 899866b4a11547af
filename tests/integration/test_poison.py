"""Poison on the topics: each such message becomes a dead letter, and those before and after it are processed."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streamapp.models import Chunk, ChunkResult, Delivery, Job, Record, WorkerBeat
from streamapp.settings import Settings
from streamapp.testing.deployment import Deployment
from streamapp.topics import TopicNames, provision

PARTITIONS = 4
KEY = b"\x00\xff a key"

RUN: dict[str, Any] = {"tenant": "default", "job_id": "6f1c", "run": 1, "step": 0, "chunk": 0, "predictor": "echo"}
GOOD: Mapping[str, Record] = {
    "inference": Job(tenant="default", job_id="6f1c", run=1),
    "chunks.echo": Chunk(**RUN, document="data:;base64,YQ==", media_type="text/plain", size=1, items=[{"text": "a"}]),
    "results": ChunkResult(**RUN, version="1", worker="w", seconds=0.1, outcomes=[{"out": {"text": "a"}}]),
    "email": Delivery(delivery_id="6f1c"),
    "notification": Delivery(delivery_id="6f1c"),
    "webhook": Delivery(delivery_id="6f1c"),
    "beats": WorkerBeat(
        worker="w", host="h", pid=1, device="cpu", predictors=["echo"], items=0, chunks=0, seconds_busy=0.0
    ),
}
IMPOSSIBLE: Mapping[str, dict[str, Any]] = {  # right in type, and nothing can be done with it
    "inference": {"run": 10**30},
    "chunks.echo": {"predictor": "no-such-predictor"},
    "results": {"run": 10**30},
    "beats": {"items": 10**30},
}
LARGE = 2 << 20  # a message on `results` may be larger than what a dead letter can carry


def poisons(name: str, good: Record) -> dict[str, bytes | None]:
    """What may stand on a topic in place of such a Record."""
    fields: dict[str, Any] = json.loads(good.dumps())
    first = next(name for name in fields if name != "__faust")
    number = next((name for name, value in fields.items() if isinstance(value, int)), first)
    space = fields["__faust"]["ns"]

    def changed(**values: Any) -> bytes:
        return json.dumps({**fields, **values}).encode()

    poisons = {
        "null": None,
        "empty": b"",
        "bytes that are no text": b"\xff\xfe\x00\x80",
        "words": b"hello",
        "another JSON": b"[1, 2]",
        "half of it": changed()[:-9],
        "another namespace": (Job if space != "streamapp.job.v1" else Delivery)
        (**({"delivery_id": "a"} if space == "streamapp.job.v1" else {"tenant": "a", "job_id": "a", "run": 1})).dumps(),
        "another version": changed(__faust={"ns": space.removesuffix("1") + "2"}),
        "no namespace": json.dumps({name: value for name, value in fields.items() if name != "__faust"}).encode(),
        "text for a number": changed(**{number: "1" if number != first else 1}),
        "an object for text": changed(**{first: {"a": 1}}),
        "a field missing": json.dumps({name: value for name, value in fields.items() if name != first}).encode(),
        "a field more": changed(colour="red"),
        "half a surrogate pair": changed(**{first: "\ud800"}),
        "deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "a megabyte": random.Random(0).randbytes(1_000_000),
    }  # fmt: skip
    if name in IMPOSSIBLE:
        poisons["impossible"] = changed(**IMPOSSIBLE[name])
    if name == "results":
        poisons["seven megabytes"] = random.Random(0).randbytes(7_000_000)
    return poisons


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a poison was put, and what it is."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


class Kafka:
    """The broker as an intruder sees it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.address = deployment.environment["STREAMAPP_BROKER"]
        self.topics = [f"{deployment.prefix}{name}" for name in GOOD]
        self.placed: list[Placed] = []
        self.letters: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Make the topics and connect."""
        settings = Settings(broker=self.address, topic_prefix=self.deployment.prefix, topic_partitions=PARTITIONS)
        self._partitions = await provision(settings, ["echo"])
        self._producer = AIOKafkaProducer(bootstrap_servers=self.address, max_request_size=8 << 20)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        letters = TopicNames(self.deployment.prefix).dead_letter
        self._reader = AIOKafkaConsumer(letters, bootstrap_servers=self.address, auto_offset_reset="earliest")
        self._ends = AIOKafkaConsumer(bootstrap_servers=self.address)
        for client in (self._producer, self._admin, self._reader, self._ends):
            await client.start()

    async def stop(self) -> None:
        """Disconnect."""
        for client in (self._producer, self._reader, self._ends):
            await client.stop()
        await self._admin.close()

    async def poison(self) -> None:
        """Every poison onto every topic, over all its partitions in turn."""
        for topic, (name, good) in zip(self.topics, GOOD.items(), strict=True):
            for turn, value in enumerate(poisons(name, good).values()):
                partition = turn % self._partitions[topic]
                sent = await self._producer.send_and_wait(topic, value, key=KEY, partition=partition)
                self.placed.append(Placed(topic, partition, sent.offset, value))

    async def all_letters(self, timeout_s: float = 30.0) -> list[dict[str, Any]]:
        """The dead letters, once there are as many as poisons; in the order in which those were put."""
        async with asyncio.timeout(timeout_s):
            while len(self.letters) < len(self.placed):
                self.letters.append(json.loads((await self._reader.getone()).value))
        order = {(each.topic, each.partition, each.offset): number for number, each in enumerate(self.placed)}
        return sorted(self.letters, key=lambda letter: order[letter["topic"], letter["partition"], letter["offset"]])

    async def ends(self) -> dict[TopicPartition, int]:
        """The end of each partition."""
        places = [TopicPartition(topic, n) for topic in self.topics for n in range(self._partitions[topic])]
        ends: dict[TopicPartition, int] = await self._ends.end_offsets(places)
        return ends

    async def committed(self) -> dict[TopicPartition, int]:
        """What the two groups have committed."""
        group = self.deployment.environment["STREAMAPP_GROUP"]
        found = {}
        for name in (group, f"{group}-inference"):
            for place, meta in (await self._admin.list_consumer_group_offsets(name)).items():
                found[place] = meta.offset
        return found


@pytest_asyncio.fixture(scope="module")
async def kafka(broker: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    """A deployment whose topics are poisoned from their first offset on, before its worker starts."""
    settings = {
        "STREAMAPP_ONLY_TASKS": '["echo"]',
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_TOPIC_PARTITIONS": str(PARTITIONS),
    }
    deployment = Deployment(broker, tmp_path_factory.mktemp("poison"), settings)
    kafka = Kafka(deployment)
    await kafka.start()
    await kafka.poison()
    assert {each.offset for each in kafka.placed if each.partition == 0} >= {0}
    await asyncio.to_thread(deployment.__enter__)
    yield kafka
    await asyncio.to_thread(deployment.__exit__)
    await kafka.stop()


async def test_poison_from_the_first_offset_on(kafka: Kafka) -> None:
    """The worker becomes ready all the same, and each message is a dead letter with its place and its bytes."""
    letters = await kafka.all_letters()

    _assert_complete(kafka, letters)
    job = kafka.deployment.submit({"task": "echo", "text": "After the poison."})
    assert kafka.deployment.finished(job)["status"] == "succeeded"


async def test_poison_between_good_messages(kafka: Kafka) -> None:
    """Jobs before, between and after it succeed, on every partition of every topic, and reach mailbox and inbox."""
    jobs: list[str] = []
    for _ in range(2):
        jobs += await _jobs_everywhere(kafka)
        await kafka.poison()
    jobs += await _jobs_everywhere(kafka)

    assert [kafka.deployment.finished(job)["status"] for job in jobs] == ["succeeded"] * len(jobs)
    _assert_complete(kafka, await kafka.all_letters())
    mails = kafka.deployment.mails(len(jobs))
    assert len(mails) == len({str(mail["To"]) for mail in mails}) == len(jobs)
    lines = kafka.deployment.http.get("/v1/notifications?limit=100").json()["items"]
    assert {line["job_id"] for line in lines} >= set(jobs[-50:])


async def test_commits_move_past_poison(kafka: Kafka) -> None:
    """Each group has committed all there is, so that a restart brings none of it back."""
    async with asyncio.timeout(20):
        while await _behind(kafka):
            await asyncio.sleep(0.2)
    letters = len(await kafka.all_letters())

    await asyncio.to_thread(kafka.deployment.stop)
    await asyncio.to_thread(kafka.deployment.start)

    job = kafka.deployment.submit({"task": "echo", "text": "After the restart."})
    assert kafka.deployment.finished(job)["status"] == "succeeded"
    ends = await kafka._reader.end_offsets(kafka._reader.assignment())
    assert sum(ends.values()) == letters


def _assert_complete(kafka: Kafka, letters: list[dict[str, Any]]) -> None:
    found = [(each["topic"], each["partition"], each["offset"], each["key"]) for each in letters]
    key = base64.b64encode(KEY).decode()
    assert found == [(each.topic, each.partition, each.offset, key) for each in kafka.placed]
    for letter, each in zip(letters, kafka.placed, strict=True):
        if each.value is None or len(each.value) > LARGE:
            assert letter["value"] is None
            assert each.value is None or str(len(each.value)) in letter["reason"]
        else:
            assert base64.b64decode(letter["value"]) == each.value
    assert all(letter["reason"] for letter in letters)
    assert any("streamapp.job.v2" in letter["reason"] for letter in letters)


async def _jobs_everywhere(kafka: Kafka) -> list[str]:
    """Jobs, as many as it takes until each partition of each topic has got good messages."""
    before = await kafka.ends()
    jobs: list[str] = []
    async with asyncio.timeout(30):
        while any(end == before[place] for place, end in (await kafka.ends()).items()):
            name = uuid.uuid4().hex
            # nobody takes webhooks there: each attempt fails at once and is put off
            body = {
                "task": "echo",
                "text": f"Job {name}.",
                "email": f"{name}@localhost",
                "webhook": f"{kafka.deployment.url}/healthz",
            }
            jobs.append(await asyncio.to_thread(kafka.deployment.submit, body))
    return jobs


async def _behind(kafka: Kafka) -> list[TopicPartition]:
    """Partitions with messages that nobody has committed; the beats go on, so there one may be missing."""
    ends, committed = await kafka.ends(), await kafka.committed()
    return [
        place
        for place, end in ends.items()
        if committed.get(place, 0) < end - (2 if place.topic.endswith("beats") else 0)
    ]
