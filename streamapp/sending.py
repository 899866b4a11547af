"""Sending with the broker's ack, and dead letters, which both apps send."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import EventT, TopicT

from streamapp.errors import BrokerUnavailable
from streamapp.models import DeadLetter, Record

__all__ = ["DeadLetterBox", "send_acked"]

logger = logging.getLogger(__name__)

ACK_S = 10.0
LONGEST_REASON = 2000

_turn = itertools.count()


async def send_acked(topic: TopicT, records: Sequence[Record], partitions: int | None = None) -> None:
    """Send Records to a topic: to its `partitions` in turn, or where chance has it when their number is not given.

    Returns once the broker has them all; raises `BrokerUnavailable` when that takes longer than `ACK_S` seconds.
    """
    try:
        async with asyncio.timeout(ACK_S):
            await asyncio.gather(*(_acked(topic, record, partitions) for record in records))
    except (KafkaError, TimeoutError, OSError) as error:
        raise BrokerUnavailable(f"{topic.get_topic_name()} was not acknowledged: {error!r}") from error


async def _acked(topic: TopicT, record: Record, partitions: int | None) -> None:
    partition = None if partitions is None else next(_turn) % partitions
    await (await topic.send(value=record, partition=partition))


class DeadLetterBox:
    """The dead-letter topic."""

    def __init__(self, topic: TopicT) -> None:
        self._topic = topic

    async def bury(self, event: EventT[Any], reason: str) -> None:
        """Publish a message as a dead letter. Raises `BrokerUnavailable`: nothing else would remember it."""
        message = event.message
        letter = DeadLetter(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            reason=reason[:LONGEST_REASON],
            at=time.time(),
            key=_base64(message.key),
            value=_base64(message.value),
        )
        logger.error("dead letter: %s %d %d: %s", message.topic, message.partition, message.offset, letter.reason)
        await send_acked(self._topic, [letter])


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode("ascii")
