"""How an agent works on messages: guarded, bounded, acknowledged in order. The stream is a fake; brokers come later."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamapp import flow as flows
from streamapp.errors import BrokerUnavailable, InvalidMessage, StoreUnavailable
from streamapp.flow import Flow, InOrder
from streamapp.retry import Backoff
from streamapp.testing.fakes import RecordingDeadLetters
from streamapp.wire import Undecodable


class FakeEvent:
    """A message of a partition, and whether it was acknowledged."""

    def __init__(self, offset: int, value: Any = None, partition: int = 0, acked: list[int] | None = None) -> None:
        self.value = offset if value is None else value
        self.message = SimpleNamespace(tp=TP("topic", partition), offset=offset)
        self.acked = acked if acked is not None else []

    def ack(self) -> bool:
        """Note it."""
        self.acked.append(self.message.offset)
        return True


class FakeStream:
    """Gives these events, as a Faust stream does."""

    def __init__(self, events: Iterable[FakeEvent]) -> None:
        self._events = events
        self.acks = True
        self.taken = 0

    def noack(self) -> FakeStream:
        """The same without acknowledgements of its own."""
        self.acks = False
        return self

    async def events(self) -> AsyncIterator[FakeEvent]:
        """Give them one by one."""
        assert not self.acks, "faust would acknowledge by itself"
        for event in self._events:
            self.taken += 1
            yield event


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time."""
    monkeypatch.setattr(flows, "Backoff", lambda: Backoff(0.0, 0.0))


async def run(flow: Flow, stream: FakeStream) -> None:
    """Run a flow over the stream and wait for its work."""
    await flow.run(stream)  # type: ignore[arg-type]
    while flow.busy:
        await asyncio.sleep(0)


class Gates:
    """A handler whose work on each message ends when the test says so."""

    def __init__(self) -> None:
        self.gates: defaultdict[Any, asyncio.Event] = defaultdict(asyncio.Event)
        self.begun: list[Any] = []

    async def __call__(self, value: Any) -> None:
        """Wait."""
        self.begun.append(value)
        await self.gates[value].wait()

    async def end(self, *values: Any) -> None:
        """Let the work on these end, one after the other."""
        for value in values:
            self.gates[value].set()
            for _ in range(5):
                await asyncio.sleep(0)


def flow_of(
    handle: Callable[[Any], Awaitable[None]], dead: RecordingDeadLetters | None = None, limit: int = 100
) -> Flow:
    """A flow of this handler."""
    return Flow("test", handle, dead or RecordingDeadLetters(), limit)


async def test_acknowledged_in_order_whatever_order_work_ends_in() -> None:
    """I expect no offset before all earlier ones of its partition, and each once."""
    acked: list[int] = []
    gates = Gates()
    flow = flow_of(gates)
    await flow.run(FakeStream(FakeEvent(offset, acked=acked) for offset in range(5)))  # type: ignore[arg-type]
    await gates.end(3, 1, 4)
    assert acked == []
    await gates.end(0)
    assert acked == [0, 1]
    await gates.end(2)
    assert acked == [0, 1, 2, 3, 4]


async def test_partitions_wait_for_each_other_in_nothing() -> None:
    """I expect an unfinished message to hold up the acknowledgements of its own partition alone."""
    acked: dict[int, list[int]] = {0: [], 1: []}
    gates = Gates()
    events = [FakeEvent(offset, f"{tp}-{offset}", tp, acked[tp]) for tp in (0, 1) for offset in range(3)]
    flow = flow_of(gates)
    await flow.run(FakeStream(events))  # type: ignore[arg-type]
    await gates.end("0-1", "0-2", "1-0", "1-1")
    assert acked == {0: [], 1: [0, 1]}
    await gates.end("0-0", "1-2")
    assert acked == {0: [0, 1, 2], 1: [0, 1, 2]}


async def test_at_most_so_many_at_a_time() -> None:
    """I expect the limit to be taken from the stream and no more, until one of them has ended."""
    gates = Gates()
    flow = flow_of(gates, limit=2)
    stream = FakeStream([FakeEvent(offset) for offset in range(5)])
    task = asyncio.create_task(flow.run(stream))  # type: ignore[arg-type]
    await gates.end()
    await asyncio.sleep(0.01)
    assert (gates.begun, flow.busy) == ([0, 1], 2)
    await gates.end(1)
    await asyncio.sleep(0.01)
    assert gates.begun == [0, 1, 2]
    await gates.end(0, 2, 3, 4)
    await task


def test_a_rewind_forgets_what_was_open() -> None:
    """I expect redelivered messages to count anew after a rebalance, and the older work to acknowledge nothing."""
    acked: list[int] = []
    order = InOrder()
    old = [order.take(FakeEvent(offset, acked=acked)) for offset in (5, 6)]  # type: ignore[arg-type]
    new = [order.take(FakeEvent(offset, acked=acked)) for offset in (5, 6)]  # type: ignore[arg-type]
    order.done(old[0])
    order.done(old[1])
    assert acked == []
    order.done(new[1])
    assert acked == []
    order.done(new[0])
    assert acked == [5, 6]


def test_a_rewind_into_the_middle() -> None:
    """I expect a partition that comes back at an offset between the open ones to go on from there."""
    acked: list[int] = []
    order = InOrder()
    old = [order.take(FakeEvent(offset, acked=acked)) for offset in (5, 6, 7)]  # type: ignore[arg-type]
    order.done(old[0])
    order.done(old[2])
    assert acked == [5]
    again = [order.take(FakeEvent(offset, acked=acked)) for offset in (6, 7)]  # type: ignore[arg-type]
    order.done(old[1])
    order.done(again[1])
    assert acked == [5]
    order.done(again[0])
    assert acked == [5, 6, 7]


async def test_undecodable_is_buried() -> None:
    """I expect the dead letters to have it with its reason, the handler nothing, and its neighbours to be handled."""
    handled: list[Any] = []
    acked: list[int] = []
    dead = RecordingDeadLetters()

    async def handle(value: Any) -> None:
        handled.append(value)

    values = ["a", Undecodable("no JSON"), "b"]
    await run(flow_of(handle, dead), FakeStream(FakeEvent(n, value, acked=acked) for n, value in enumerate(values)))
    assert (dead.buried, handled, acked) == ([(1, "no JSON")], ["a", "b"], [0, 1, 2])


async def test_a_permanent_failure_is_buried_at_once() -> None:
    """I expect one attempt."""
    attempts: list[Any] = []
    acked: list[int] = []
    dead = RecordingDeadLetters()

    async def handle(value: Any) -> None:
        attempts.append(value)
        raise InvalidMessage("no such thing")

    await run(flow_of(handle, dead), FakeStream([FakeEvent(7, acked=acked)]))
    assert (attempts, dead.buried, acked) == ([7], [(7, "no such thing")], [7])


async def test_a_transient_failure_is_tried_again_unacked() -> None:
    """I expect as many attempts as it takes, and no acknowledgement before the one that works."""
    acked: list[int] = []
    seen: list[list[int]] = []

    async def handle(value: Any) -> None:
        seen.append(list(acked))
        if len(seen) < 10:
            raise StoreUnavailable("the store is away")

    dead = RecordingDeadLetters()
    await run(flow_of(handle, dead), FakeStream([FakeEvent(0, acked=acked)]))
    assert (seen, acked, dead.buried) == ([[]] * 10, [0], [])


async def test_a_bug_is_buried_after_three_attempts() -> None:
    """I expect a handler that raises what nobody foresaw to jam no partition."""
    attempts: list[Any] = []
    acked: list[int] = []
    dead = RecordingDeadLetters()

    async def handle(value: Any) -> None:
        attempts.append(value)
        if value == 0:
            raise ZeroDivisionError("oh")

    await run(flow_of(handle, dead), FakeStream(FakeEvent(offset, acked=acked) for offset in range(2)))
    assert attempts.count(0) == 3
    assert (dead.buried, acked) == ([(0, "ZeroDivisionError: oh")], [0, 1])


async def test_a_bug_that_passes() -> None:
    """I expect two failures to be forgiven."""
    attempts: list[Any] = []

    async def handle(value: Any) -> None:
        attempts.append(value)
        if len(attempts) < 3:
            raise ZeroDivisionError

    dead = RecordingDeadLetters()
    await run(flow_of(handle, dead), FakeStream([FakeEvent(0)]))
    assert (len(attempts), dead.buried) == (3, [])


@pytest.mark.parametrize("failure", [BrokerUnavailable("away"), InvalidMessage("large"), RuntimeError("a bug of ours")])
async def test_dead_letters_that_can_t_be_sent(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the message to stay unacknowledged until the broker has its dead letter, and each attempt to wait."""
    acked: list[int] = []
    dead = RecordingDeadLetters([failure] * 5)
    backoff = Backoff(0.0, 0.0)
    monkeypatch.setattr(flows, "Backoff", lambda: backoff)

    async def handle(value: Any) -> None:
        raise InvalidMessage("no such thing")

    await run(flow_of(handle, dead), FakeStream([FakeEvent(0, acked=acked)]))
    assert acked == [0]
    assert dead.buried[0][0] == 0
    assert backoff.attempts >= 4


async def test_cancellation_leaves_it_unacked() -> None:
    """I expect work that is cancelled with the process to acknowledge nothing, nor what came after it."""
    acked: list[int] = []
    gates = Gates()
    flow = flow_of(gates)
    await flow.run(FakeStream(FakeEvent(offset, acked=acked) for offset in range(2)))  # type: ignore[arg-type]
    await gates.end(1)
    (task,) = flow._tasks
    task.cancel()
    await asyncio.gather(task)
    assert acked == []
    assert flow.busy == 0


async def test_a_cancelled_future_is_no_cancellation() -> None:
    """I expect work whose process pool was replaced under it to be tried again, and not to be left for ever."""
    acked: list[int] = []
    attempts: list[Any] = []

    async def handle(value: Any) -> None:
        attempts.append(value)
        if len(attempts) == 1:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    await run(flow_of(handle), FakeStream([FakeEvent(0, acked=acked)]))
    assert (len(attempts), acked) == (2, [0])


async def test_draining_finishes_what_is_in_work() -> None:
    """I expect what has begun to be acknowledged, nothing to begin any more, and the rest to stay unacknowledged."""
    acked: list[int] = []
    gates = Gates()
    flow = flow_of(gates, limit=2)
    task = asyncio.create_task(flow.run(FakeStream(FakeEvent(n, acked=acked) for n in range(5))))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(flow.drain(5.0))
    await gates.end(0, 1)
    assert await draining is True
    await task
    assert (gates.begun, acked) == ([0, 1], [0, 1])


async def test_draining_gives_up_in_time() -> None:
    """I expect work that does not end to be handed back, and nothing after it to be acknowledged."""
    acked: list[int] = []
    gates = Gates()
    flow = flow_of(gates)
    await flow.run(FakeStream(FakeEvent(n, acked=acked) for n in range(3)))  # type: ignore[arg-type]
    await gates.end(0, 2)
    assert await flow.drain(0.01) is False
    await asyncio.sleep(0.01)
    assert (acked, flow.busy) == ([0], 0)


async def test_what_is_in_work_can_be_seen() -> None:
    """I expect each message with its place, since when, why it waits and where it stands, and none that has ended."""
    gates = Gates()
    began = time.monotonic()

    async def handle(value: Any) -> None:
        if value == 1 and gates.begun.count(1) < 2:
            gates.begun.append(1)
            raise StoreUnavailable("the store is away")
        await gates(value)

    flow = flow_of(handle, limit=3)
    await flow.run(FakeStream(FakeEvent(offset, partition=4) for offset in range(2)))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    first, second = flow.in_work()
    assert (first.tp, first.offset, first.waits_since, first.why) == (TP("topic", 4), 0, None, "")
    assert first.where.startswith(asyncio.__file__.replace("__init__", "locks"))
    assert (second.offset, second.why) == (1, "the store is away")
    assert second.waits_since is not None
    assert began <= first.since <= second.since <= second.waits_since <= time.monotonic()
    await gates.end(1)
    assert [work.offset for work in flow.in_work()] == [0]
    await gates.end(0)
    assert flow.in_work() == []


async def test_whether_there_is_room_can_be_seen() -> None:
    """I expect a flow to be full with as many messages as it may have, and to remember when one ended last."""
    gates = Gates()
    flow = flow_of(gates, limit=2)
    await flow.run(FakeStream([FakeEvent(0)]))  # type: ignore[arg-type]
    full = [flow.full]
    await flow.run(FakeStream([FakeEvent(1)]))  # type: ignore[arg-type]
    full.append(flow.full)
    before = time.monotonic()
    assert flow.finished_at < before
    await gates.end(1)
    full.append(flow.full)
    assert full == [False, True, False]
    assert flow.finished_at >= before
    await gates.end(0)
