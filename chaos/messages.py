"""Messages that the deployment did not send: copies, as a repeated send makes them, and bytes that nobody can read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from chaos.ground import PARTITIONS

__all__ = ["MARK", "double", "spoil"]

MARK = "chaos"  # the header of what is ours, so that it is not counted as the deployment's own
START_S = 10.0


async def double(address: str, topic: str, more: Callable[[int], bool]) -> int:
    """Publish what comes on a topic once more, while `more` says so of how many that are. Returns how many.

    A broker that goes away meanwhile ends it.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=address)
    doubled = 0
    try:
        await asyncio.wait_for(asyncio.gather(consumer.start(), producer.start()), START_S)
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await consumer.seek_to_end()
        while more(doubled):
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                for message in (each for each in messages if not each.headers):
                    mark = [(MARK, b"double")]
                    await producer.send_and_wait(topic, message.value, message.key, message.partition, headers=mark)
                    doubled += 1
    except (KafkaError, TimeoutError):
        return doubled
    finally:
        await consumer.stop()
        await producer.stop()
    return doubled


async def spoil(address: str, topic: str) -> tuple[str, int, int] | None:
    """Put bytes that nobody can read on a topic. Returns where they are: topic, partition, offset; None for nowhere."""
    producer = AIOKafkaProducer(bootstrap_servers=address, request_timeout_ms=5000)
    with suppress(KafkaError, TimeoutError):
        try:
            await asyncio.wait_for(producer.start(), START_S)
            there = await producer.send_and_wait(topic, b"\xff unreadable", headers=[(MARK, b"poison")])
            return topic, there.partition, there.offset
        finally:
            await producer.stop()
    return None
