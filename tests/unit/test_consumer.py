"""A message is handed over on the spot; only one that has to wait takes part in Faust's race."""

from __future__ import annotations

import asyncio

import pytest
from faust.transport.consumer import Consumer

from streamapp.apps import LifecycleApp
from streamapp.consumer import PromptConsumer
from streamapp.kafka.access import Kafka


@pytest.fixture
async def consumer() -> Consumer:
    """The consumer of an app, made and never started."""
    app = LifecycleApp("test", kafka=Kafka("127.0.0.1:1"), store="memory://", autodiscover=False)
    return app.consumer  # type: ignore[return-value]  # it is typed by its interface


async def never() -> None:
    """Wait for what does not come."""
    await asyncio.Event().wait()


async def test_an_app_has_it(consumer: Consumer) -> None:
    """I expect every app of ours to read by it."""
    assert isinstance(consumer, PromptConsumer)


async def test_what_need_not_wait(consumer: Consumer) -> None:
    """I expect what ends at once to have ended, with no task made, and the other side of the race never begun."""
    done: list[int] = []

    async def hand_over() -> None:
        done.append(len(asyncio.all_tasks()))

    before = len(asyncio.all_tasks())
    result = await consumer.wait_first(hand_over(), never())
    assert done == [before]
    assert not result.stopped


async def test_what_has_to_wait_goes_on(consumer: Consumer) -> None:
    """I expect one that waits, several times, to be begun once and waited for to its end."""
    places = asyncio.Semaphore(0)
    steps: list[str] = []

    async def hand_over() -> None:
        steps.append("begun")
        for number in range(2):
            await places.acquire()
            steps.append(f"place {number}")

    asyncio.get_running_loop().call_later(0.01, places.release)
    asyncio.get_running_loop().call_later(0.02, places.release)
    await asyncio.wait_for(consumer.wait_first(hand_over(), never()), 5)
    assert steps == ["begun", "place 0", "place 1"]


async def test_a_suspended_flow_ends_the_wait(consumer: Consumer) -> None:
    """I expect a rebalance to get its turn while a stream is full, and what waits to be told that it is over."""
    suspended = asyncio.Event()
    told: list[type[BaseException]] = []

    async def hand_over() -> None:
        try:
            await never()
        except asyncio.CancelledError as error:
            told.append(type(error))
            raise

    asyncio.get_running_loop().call_later(0.01, suspended.set)
    await asyncio.wait_for(consumer.wait_first(hand_over(), suspended.wait()), 5)
    await asyncio.sleep(0)
    assert told == [asyncio.CancelledError]


@pytest.mark.parametrize("waits", [False, True])
async def test_what_raises(consumer: Consumer, waits: bool) -> None:
    """I expect the error of a hand-over, whether it had to wait or not."""

    async def hand_over() -> None:
        if waits:
            await asyncio.sleep(0.01)
        raise ValueError("of this message")

    with pytest.raises(ValueError, match="of this message"):
        await consumer.wait_first(hand_over(), never())
