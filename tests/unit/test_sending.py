"""Sending with the broker's ack, and dead letters that can always be sent."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, NotLeaderForPartitionError
from faust.exceptions import ProducerSendError
from faust.types import EventT, TopicT

from streamapp import sending
from streamapp.errors import BrokerUnavailable, InvalidMessage
from streamapp.models import DeadLetter, Delivery
from streamapp.sending import DeadLetterBox, Place, send_acked
from streamapp.wire import decode


class FakeTopic:
    """A topic, its app and the producer. Keeps (partition, value).

    `refuses` is raised when a message is handed over, `loses` instead of its ack.
    """

    def __init__(self, refuses: Exception | None = None, loses: Exception | None = None, ack_s: float = 0.0) -> None:
        self.refuses, self.loses, self.ack_s = refuses, loses, ack_s
        self.sent: list[tuple[int | None, Any]] = []

    @property
    def app(self) -> FakeTopic:
        """Its app."""
        return self

    async def maybe_start_producer(self) -> FakeTopic:
        """The producer."""
        return self

    def get_topic_name(self) -> str:
        """Its name."""
        return "fake"

    async def send(
        self, topic: str, key: None, value: bytes, partition: int | None, timestamp: None, headers: None
    ) -> Awaitable[Place]:
        """Hand a message over."""
        if self.refuses:
            raise self.refuses
        self.sent.append((partition, value))
        return self._ack(Place(partition or 0, len(self.sent) - 1))

    async def _ack(self, place: Place) -> Place:
        await asyncio.sleep(self.ack_s)
        if self.loses:
            raise self.loses
        return place


def topic(**how: Any) -> tuple[FakeTopic, TopicT]:
    """The fake, and the same as what it stands for."""
    fake = FakeTopic(**how)
    return fake, cast(TopicT, fake)


def letters(fake: FakeTopic) -> list[DeadLetter]:
    """What was sent, read as it would be from the topic."""
    return [cast(DeadLetter, decode(DeadLetter, value)) for _, value in fake.sent]


def wrapped(error: Exception) -> Exception:
    """As Faust's producer raises what aiokafka raised."""
    outer = ProducerSendError(f"Error while sending: {error!r}")
    outer.__cause__ = error
    return outer


async def test_partitions_take_turns() -> None:
    """I expect messages to be spread evenly, and to be left to the broker's choice where the number is not known."""
    fake, real = topic()
    places = await send_acked(real, [Delivery(str(number)) for number in range(8)], range(4))
    assert [place.offset for place in places] == list(range(8))
    assert sorted(partition or 0 for partition, _ in fake.sent) == [0, 0, 1, 1, 2, 2, 3, 3]
    await send_acked(real, [Delivery("x")])
    assert fake.sent[-1][0] is None


async def test_partitions_take_turns_in_rows() -> None:
    """I expect as many as asked for to go to one partition before the next, from one call to another, too."""
    fake, real = topic()
    for _ in range(2):
        await send_acked(real, [Delivery(str(number)) for number in range(6)], range(4), 4)
    partitions = [partition or 0 for partition, _ in fake.sent]
    first = partitions[0]
    assert partitions == [(first + turn) % 4 for turn, row in enumerate((4, 2, 4, 2)) for _ in range(row)]


async def test_only_these_partitions() -> None:
    """I expect messages that are to come back to one worker to go nowhere else."""
    fake, real = topic()
    await send_acked(real, [Delivery(str(number)) for number in range(6)], [2, 5, 7])
    assert sorted(partition or 0 for partition, _ in fake.sent) == [2, 2, 5, 5, 7, 7]


async def test_what_comes_together_is_handed_over_together() -> None:
    """I expect nothing else to run in between: the producer would make a request of each message."""
    fake, real = topic()
    seen: list[int] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(len(fake.sent)))
    await send_acked(real, [Delivery(str(number)) for number in range(8)], range(4))
    assert seen == [8]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"loses": NotLeaderForPartitionError()}, BrokerUnavailable),
        ({"loses": KafkaTimeoutError()}, BrokerUnavailable),
        ({"refuses": wrapped(KafkaTimeoutError())}, BrokerUnavailable),  # the buffer is full: the broker is away
        ({"refuses": wrapped(MessageSizeTooLargeError())}, InvalidMessage),  # never works
        ({"loses": MessageSizeTooLargeError()}, InvalidMessage),
        ({"ack_s": 5.0}, BrokerUnavailable),
    ],
)
async def test_failures(monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], expected: type[Exception]) -> None:
    """I expect every failure to be one of ours, so that none is taken for a bug and buried."""
    monkeypatch.setattr(sending, "ACK_S", 0.05)
    _, real = topic(**how)
    with pytest.raises(expected):
        await send_acked(real, [Delivery("x")], range(1))


def event(value: bytes | None, key: bytes = b"k") -> EventT[Any]:
    """A message that can't be worked on."""
    message = SimpleNamespace(headers=None, topic="t", partition=3, offset=7, key=key, value=value)
    return cast(EventT[Any], SimpleNamespace(message=message))


async def test_a_dead_letter_says_it_all() -> None:
    """I expect the place, the reason, the key and the bytes."""
    fake, real = topic()
    await DeadLetterBox(real).bury(event(b"\xff\0"), "no JSON")
    (letter,) = letters(fake)
    assert (letter.topic, letter.partition, letter.offset, letter.reason) == ("t", 3, 7, "no JSON")
    assert base64.b64decode(letter.value or "") == b"\xff\0"
    assert base64.b64decode(letter.key or "") == b"k"


async def test_a_dead_letter_is_never_too_large() -> None:
    """I expect a message near the broker's limit to be buried by its place, since in base64 it could not be sent."""
    fake, real = topic()
    await DeadLetterBox(real).bury(event(b"x" * (7 * 1024 * 1024)), "r" * 5000)
    await DeadLetterBox(real).bury(event(b"small", b"k" * (7 * 1024 * 1024)), "no JSON")
    large_value, large_key = letters(fake)
    assert (large_value.value, large_value.key) == (None, "aw==")
    assert (large_key.value, large_key.key) == ("c21hbGw=", None)
    for letter, what in ((large_value, "value"), (large_key, "key")):
        assert len(letter.reason) <= sending.LONGEST_REASON
        assert f"the {what} of 7340032 bytes" in letter.reason


async def test_a_dead_letter_needs_the_broker() -> None:
    """I expect to be told when it could not be published: nothing else would remember it."""
    _, real = topic(loses=KafkaTimeoutError())
    with pytest.raises(BrokerUnavailable):
        await DeadLetterBox(real).bury(event(None), "no value")
