"""Looks at a broker from outside, for tests that don't run in an event loop: what is on a topic, what is committed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streamapp.topics import partitions_of

__all__ = [
    "Seen",
    "committed",
    "faust_worker",
    "held_begun",
    "held_done",
    "held_environment",
    "members",
    "messages",
    "publish",
]

T = TypeVar("T")

HERE = Path(__file__).parent


class Seen(NamedTuple):
    """A message on a topic; its value is empty if another test has put something there that is no JSON object."""

    partition: int
    offset: int
    value: dict[str, Any]


def messages(broker: str, topic: str) -> list[Seen]:
    """All messages of a topic, up to where it ends now."""
    return _in_thread(_messages(broker, topic))


def committed(broker: str, group: str) -> dict[tuple[str, int], int]:
    """The group's committed offsets by topic and partition: the next message to be read."""
    return _in_thread(_committed(broker, group))


def members(broker: str, group: str) -> dict[str, int]:
    """The group's members, by id, and the bytes of what each is assigned; none while they are being sorted out."""
    return _in_thread(_members(broker, group))


def publish(broker: str, topic: str, values: Sequence[bytes], partition: int = 0) -> list[int]:
    """Put messages on a partition; returns their offsets."""
    return _in_thread(_publish(broker, topic, values, partition))


@contextmanager
def faust_worker(app: str, environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An app as a process of its own, with the modules beside this file to be had; killed at the end."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE))))
    command = [sys.executable, "-m", "faust", "-A", app, "worker", "-l", "info"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**environment, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=HERE.parents[1],
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def held_environment(broker: str, folder: Path) -> dict[str, str]:
    """For a `held_app` of one's own in that folder."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")} | {
        "STREAMAPP_HOME": str(folder / "home"),
        "STREAMAPP_BROKER": broker,
        "STREAMAPP_TOPIC_PREFIX": prefix,
        "STREAMAPP_GROUP": prefix.rstrip("."),
        "HELD": str(folder),
    }


def held_begun(folder: Path) -> list[str]:
    """What a `held_app` has begun with."""
    begun = folder / "begun"
    return begun.read_text().split() if begun.exists() else []


def held_done(folder: Path) -> list[str]:
    """What a `held_app` has handled."""
    done = folder / "done"
    return done.read_text().split() if done.exists() else []


async def _messages(broker: str, topic: str) -> list[Seen]:
    reader = AIOKafkaConsumer(bootstrap_servers=broker)
    await reader.start()
    try:
        places = [TopicPartition(topic, number) for number in range(await _partitions(broker, topic))]
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        ends = await reader.end_offsets(places)
        seen: list[Seen] = []
        for place in places:
            while await reader.position(place) < ends[place]:
                for message in (await reader.getmany(place, timeout_ms=200)).get(place, []):
                    seen.append(Seen(message.partition, message.offset, _fields(message.value)))
        return seen
    finally:
        await reader.stop()


def _fields(value: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(value)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


async def _partitions(broker: str, topic: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return (await partitions_of(admin, [topic]))[topic]
    finally:
        await admin.close()


async def _committed(broker: str, group: str) -> dict[tuple[str, int], int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
        return {(place.topic, place.partition): meta.offset for place, meta in found.items()}
    finally:
        await admin.close()


async def _members(broker: str, group: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        [described] = [each.to_object()["groups"][0] for each in await admin.describe_consumer_groups([group])]
        stable = described["state"] == "Stable"
        return {each["member_id"]: len(each["member_assignment"]) for each in described["members"] if stable}
    finally:
        await admin.close()


async def _publish(broker: str, topic: str, values: Sequence[bytes], partition: int) -> list[int]:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        return [(await producer.send_and_wait(topic, value, partition=partition)).offset for value in values]
    finally:
        await producer.stop()


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, because the session's event loop may be running in this one."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="observer")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
