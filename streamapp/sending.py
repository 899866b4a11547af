"""Sending with the broker's ack, and dead letters, which both apps send."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import faust
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from faust.types import EventT, TopicT

from streamapp import faults
from streamapp.errors import BrokerUnavailable, InvalidMessage
from streamapp.models import DeadLetter, Record

__all__ = ["DeadLetterBox", "Place", "raw_sender", "send_acked"]

logger = logging.getLogger(__name__)

ACK_S = 10.0
ORIGIN = "streamapp-dead-letter"
LONGEST_REASON = 2000
# bytes of what is kept of a dead letter; base64 adds a third, and a producer refuses requests of 8 MiB
LARGEST_VALUE, LARGEST_KEY = 4 * 1024 * 1024, 1024 * 1024

_turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


class Place(NamedTuple):
    """Where the broker put a message."""

    partition: int
    offset: int


async def send_acked(
    topic: TopicT, records: Sequence[Record], partitions: Sequence[int] | None = None, in_a_row: int = 1
) -> list[Place]:
    """Send Records to a topic: to these of its `partitions` in turn, or where chance has it when none are given.

    `in_a_row` of them go to the same partition before it is the next one's turn: each partition is a batch of its own,
    for the producer and for the broker. Returns where each is, once the broker has them all. Raises `BrokerUnavailable`
    when that takes longer than `ACK_S` seconds, and `InvalidMessage` for one that is too large to be sent ever.
    """
    faults.cross(f"send.before.{topic.get_topic_name()}")
    try:
        async with asyncio.timeout(ACK_S):
            places = await _acked(topic, records, partitions, in_a_row)
    except (KafkaError, ProducerSendError, TimeoutError, OSError) as error:
        if isinstance(error, MessageSizeTooLargeError) or isinstance(error.__cause__, MessageSizeTooLargeError):
            raise InvalidMessage(f"it is too large for {topic.get_topic_name()}: {error}") from error
        raise BrokerUnavailable(f"{topic.get_topic_name()} was not acknowledged: {error!r}") from error
    faults.cross(f"send.after.{topic.get_topic_name()}")
    return places


async def _acked(
    topic: TopicT, records: Sequence[Record], partitions: Sequence[int] | None, in_a_row: int
) -> list[Place]:
    """Hand them all over, and only then wait for the acks: the producer sends what lies together as one request.

    Not by the topic's own `send`: that lets the event loop go on after each, so that each becomes a request.
    """
    name = str(topic.get_topic_name())
    turns = _turns[name]
    producer = await topic.app.maybe_start_producer()
    acks: list[Awaitable[Any]] = []
    partition = None
    for number, record in enumerate(records):
        if partitions is not None and number % in_a_row == 0:
            partition = partitions[next(turns) % len(partitions)]
        acks.append(await producer.send(name, None, record.dumps(), partition, None, None))
    return [Place(there.partition, there.offset) for there in await asyncio.gather(*acks)]


def raw_sender(app: faust.App) -> Callable[[str, int, bytes | None, bytes | None, int], Awaitable[None]]:
    """A function that puts a dead letter's bytes back on its partition; it returns with the broker's ack."""

    async def send(topic: str, partition: int, key: bytes | None, value: bytes | None, letter: int) -> None:
        headers = {ORIGIN: str(letter).encode()}
        try:
            async with asyncio.timeout(ACK_S):
                await app.producer.send_and_wait(topic, key, value, partition, None, headers)
        except (KafkaError, ProducerSendError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(f"{topic} was not acknowledged: {error!r}") from error

    return send


class DeadLetterBox:
    """The dead-letter topic."""

    def __init__(self, topic: TopicT) -> None:
        self._topic = topic

    async def bury(self, event: EventT[Any], reason: str) -> None:
        """Publish a message as a dead letter. Raises `BrokerUnavailable`: nothing else would remember it."""
        message = event.message
        for what, part, most in (("value", message.value, LARGEST_VALUE), ("key", message.key, LARGEST_KEY)):
            if part is not None and len(part) > most:
                reason = (
                    f"{reason[: LONGEST_REASON - 200]} (the {what} of {len(part)} bytes is too large to be kept here)"
                )
        letter = DeadLetter(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            reason=reason[:LONGEST_REASON],
            at=time.time(),
            key=_base64(message.key, LARGEST_KEY),
            value=_base64(message.value, LARGEST_VALUE),
        )
        letter.origin = _origin(message.headers)
        logger.error("dead letter: %s %d %d: %s", message.topic, message.partition, message.offset, letter.reason)
        await send_acked(self._topic, [letter])


def _origin(headers: Any) -> int | None:
    """The dead letter that a message was redriven from, by its header."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    found = next((value for name, value in pairs if name == ORIGIN), b"")
    return int(found) if isinstance(found, bytes) and found.isdigit() and len(found) < 19 else None


def _base64(raw: bytes | None, most: int) -> str | None:
    return None if raw is None or len(raw) > most else base64.b64encode(raw).decode("ascii")
