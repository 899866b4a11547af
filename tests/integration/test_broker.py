"""The embedded broker is a real one: it keeps what it acknowledged, over a stop and over kill -9."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from streamapp.embedded import StartError, processes
from streamapp.embedded.broker import Broker, answers
from streamapp.embedded.ports import free_port
from streamapp.kafka.access import Kafka
from streamapp.testing.broker import kafka_broker


async def send(address: str, topic: str, values: list[bytes]) -> None:
    """Send to partition 0 and wait for the acks."""
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(address: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value or b"" for _ in range(count)]
    finally:
        await consumer.stop()


async def create(address: str, topic: str) -> None:
    """One partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """I expect all messages after kill -9 and the supervisor's restart, and again after an ordered stop."""
    broker = Broker(tmp_path, preferred_port=free_port())
    await broker.prepare()
    child = await broker.start()
    watch = asyncio.create_task(child.supervise())
    try:
        await answers(Kafka(broker.address), 60)
        child.settled()
        await create(broker.address, "kept")
        await send(broker.address, "kept", [b"%d" % number for number in range(200)])
        (java,) = (process for process in processes.of_home(tmp_path) if process.name() == "java")
        java.kill()
        java.wait(5)
        await answers(Kafka(broker.address), 60)
        assert child.starts == 2
        await send(broker.address, "kept", [b"after"])
        expected = [*(b"%d" % number for number in range(200)), b"after"]
        assert await read(broker.address, "kept", 201) == expected
    finally:
        watch.cancel()
        began = time.monotonic()
        await child.stop(5)
    assert time.monotonic() - began < 5
    assert processes.of_home(tmp_path) == []
    again = Broker(tmp_path)
    await again.prepare()
    child = await again.start()
    try:
        await answers(Kafka(again.address), 60)
        assert again.address == broker.address  # the port is remembered
        assert await read(again.address, "kept", 201) == expected
    finally:
        await child.stop(5)


async def test_no_topic_by_accident() -> None:
    """I expect a send to a topic that nobody made to fail, instead of making it with one partition."""
    with kafka_broker() as address:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            with pytest.raises((UnknownTopicOrPartitionError, TimeoutError)):
                async with asyncio.timeout(2):
                    await send(address, "nobody-made-this", [b"x"])
            assert "nobody-made-this" not in await admin.list_topics()
        finally:
            await admin.close()


async def test_an_address_that_does_not_answer() -> None:
    """I expect a sentence with the address and the variable, in the time that was given."""
    began = time.monotonic()
    with pytest.raises(StartError, match=r"No Kafka broker answers at 127\.0\.0\.1:1 .* STREAMAPP_BROKER"):
        await answers(Kafka("127.0.0.1:1"), 1.5)
    assert time.monotonic() - began < 4


async def test_an_address_that_is_no_broker() -> None:
    """I expect the same of a server that accepts and says nothing."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # everything, until the client gives up
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StartError, match="No Kafka broker answers"):
            await answers(Kafka(f"127.0.0.1:{port}"), 1.5)
