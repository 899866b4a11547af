"""What the watchdog takes for stuck, and what for merely slow. Kafka is a fake, and so is the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streamapp import watchdog as watchdogs
from streamapp.errors import StoreUnavailable
from streamapp.flow import Flow
from streamapp.testing.fakes import RecordingDeadLetters
from streamapp.watchdog import Lag, Watchdog

STUCK_S = 300.0
PATIENCE_S = 600.0
WORTH_S = 3600.0
SLOW, QUICK = TP("slow", 0), TP("quick", 0)


class Message:
    """A message of a partition, which is never acknowledged for real."""

    def __init__(self, tp: TP, offset: int) -> None:
        self.message = self
        self.tp = tp
        self.offset = offset
        self.value = offset

    def ack(self) -> bool:
        """Nothing."""
        return True


class Stream:
    """Gives messages as a Faust stream does."""

    def __init__(self, *messages: Message) -> None:
        self._messages = messages

    def noack(self) -> Stream:
        """The same."""
        return self

    async def events(self) -> AsyncIterator[Message]:
        """One by one."""
        for message in self._messages:
            yield message


class Kafka:
    """Offsets that a test sets; None: no answer."""

    def __init__(self) -> None:
        self.lags: dict[TP, Lag] | None = {}
        self.asked: list[TP] = []
        self.closed = False

    async def behind(self, partitions: Collection[TP]) -> Mapping[TP, Lag]:
        """As set."""
        if self.lags is None:
            raise KafkaConnectionError("away")
        self.asked = list(partitions)
        return {tp: lag for tp, lag in self.lags.items() if tp in partitions}

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class Kennel:
    """A watchdog over two agents with room for two messages each, `slow` (which may be silent for long) and `quick`."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.kafka = Kafka()
        self.gates: dict[int, asyncio.Future[None]] = {}
        self.flows = [Flow(name, self._handle, RecordingDeadLetters(), 2) for name in ("slow", "quick")]
        for flow in self.flows:
            flow.topic = flow.name
        self.assigned = [SLOW, QUICK, TP("quick", 1), TP("not ours", 0)]
        self.dog = Watchdog(
            self.flows,
            lambda: self.assigned,
            self.kafka,
            STUCK_S,
            {"slow": PATIENCE_S},
            WORTH_S,
            clock=lambda: self.now,
        )

    async def _handle(self, offset: int) -> None:
        await self.gates.setdefault(offset, asyncio.get_running_loop().create_future())

    async def work(self, agent: str, *offsets: int, partition: int = 0) -> None:
        """Give messages to an agent."""
        flow = next(flow for flow in self.flows if flow.name == agent)
        messages = [Message(TP(agent, partition), offset) for offset in offsets]
        await flow.run(Stream(*messages))  # type: ignore[arg-type]
        await asyncio.sleep(0)

    async def end(self, offset: int, error: Exception | None = None) -> None:
        """Let the work on a message end, now by the watchdog's clock; or fail."""
        gate, before = self.gates.pop(offset), [flow.finished_at for flow in self.flows]
        gate.set_result(None) if error is None else gate.set_exception(error)
        for _ in range(5):
            await asyncio.sleep(0)
        for flow, finished_at in zip(self.flows, before, strict=True):
            if flow.finished_at != finished_at:
                flow.finished_at = self.now

    async def looks(self, seconds: float) -> str:
        """What is stuck at the first look that finds something, of those in so many seconds."""
        end = self.now + seconds
        while self.now < end:
            self.now += self.dog.every_s
            found = await self.dog.look()
            if found:
                return found
        return ""

    async def aclose(self) -> None:
        """Cancel what is left."""
        for flow in self.flows:
            await flow.drain(0.0)


@pytest.fixture
async def kennel() -> AsyncIterator[Kennel]:
    """One with nothing in work and no lag."""
    kennel = Kennel()
    yield kennel
    await kennel.aclose()


async def test_a_partition_that_lags_and_is_not_fetched(kennel: Kennel) -> None:
    """I expect its agent, topic, partition and offsets to be named, after the time and not before."""
    kennel.kafka.lags = {QUICK: Lag(7, 9)}
    assert await kennel.looks(STUCK_S) == ""
    found = await kennel.looks(60)
    for words in ("agent quick", "quick 0", "stays 7 of 9"):
        assert words in found
    assert TP("not ours", 0) not in kennel.kafka.asked


async def test_a_partition_that_moves(kennel: Kennel) -> None:
    """I expect lag alone to be no evidence while commits go on, however slowly."""
    for offset in range(5):
        kennel.kafka.lags = {QUICK: Lag(offset, 1000)}
        assert await kennel.looks(STUCK_S - 30) == ""


async def test_lag_that_is_away_for_a_while(kennel: Kennel) -> None:
    """I expect a partition that was read to its end, or was another worker's, to begin anew."""
    lags = {QUICK: Lag(7, 9)}
    kennel.kafka.lags = dict(lags)
    assert await kennel.looks(STUCK_S - 30) == ""
    kennel.kafka.lags = {}
    assert await kennel.looks(30) == ""
    kennel.kafka.lags = dict(lags)
    assert await kennel.looks(STUCK_S - 30) == ""
    kennel.assigned = []
    assert await kennel.looks(30) == ""
    kennel.assigned = [QUICK]
    assert await kennel.looks(STUCK_S - 30) == ""


async def test_time_without_an_answer_does_not_count(kennel: Kennel) -> None:
    """I expect a broker that is away for an hour to be no reason, nor what stands still on its account, right after."""
    kennel.kafka.lags = {QUICK: Lag(7, 9)}
    await kennel.work("quick", 7, partition=1)
    assert await kennel.looks(STUCK_S - 30) == ""
    kennel.kafka.lags = None
    assert await kennel.looks(3600) == ""
    kennel.kafka.lags = {QUICK: Lag(7, 9)}
    assert await kennel.looks(STUCK_S - 30) == ""
    assert "agent quick" in await kennel.looks(60)


async def test_time_in_which_the_process_stood_still_does_not_count(kennel: Kennel) -> None:
    """I expect a machine that slept for an hour to go on."""
    kennel.kafka.lags = {QUICK: Lag(7, 9)}
    await kennel.work("quick", 7, partition=1)
    assert await kennel.looks(60) == ""
    kennel.now += 3600
    assert await kennel.looks(STUCK_S - 30) == ""


async def test_work_that_hangs(kennel: Kennel) -> None:
    """I expect the message and the line where it stands to be named, later for an agent that may be silent."""
    await kennel.work("slow", 3)
    await kennel.work("quick", 5)
    found = await kennel.looks(STUCK_S + 60)
    assert "agent quick" in found
    assert "quick 0 offset 5" in found
    assert f"{__file__}:" in found
    assert "in _handle" in found
    await kennel.end(5)
    assert await kennel.looks(PATIENCE_S - 90) == ""
    assert "slow 0 offset 3" in await kennel.looks(120)


async def test_an_agent_that_finishes_others_is_busy(kennel: Kennel) -> None:
    """I expect a message that waits its turn among others not to be stuck, but for longer than it is worth anything."""
    await kennel.work("quick", 1)
    for offset in range(2, 2 + int(WORTH_S // 200)):
        await kennel.work("quick", offset)
        assert await kennel.looks(200) == ""
        await kennel.end(offset)
    await kennel.work("quick", 1000)
    found = await kennel.looks(STUCK_S - 30)
    await kennel.end(1000)
    assert "quick 0 offset 1 " in (found or await kennel.looks(STUCK_S))


async def test_other_progress_counts(kennel: Kennel) -> None:
    """I expect a model worker that computes one long chunk to be busy while its items go on."""
    await kennel.work("quick", 1)
    for items in range(4):
        kennel.dog.note(items)
        assert await kennel.looks(STUCK_S - 60) == ""
    kennel.dog.note(3)
    assert "quick 0 offset 1" in await kennel.looks(STUCK_S)


async def test_a_wait_that_lasts(kennel: Kennel) -> None:
    """I expect what waits for the store to have twice the time, and its reason to be said."""
    await kennel.work("quick", 1)
    kennel.now += 1  # a look at once would see the work begin in the future of the watchdog's clock
    await kennel.end(1, StoreUnavailable("the store is away"))
    assert await kennel.looks(2 * STUCK_S - 60) == ""
    found = await kennel.looks(120)
    assert "quick 0 offset 1 waits, because the store is away" in found


async def test_a_full_agent_holds_up_the_others(kennel: Kennel) -> None:
    """I expect partitions not to count as left alone while an agent is full, and to do so when it has room again."""
    kennel.kafka.lags = {QUICK: Lag(7, 9), SLOW: Lag(1, 9)}
    await kennel.work("slow", 1, 2)
    assert await kennel.looks(STUCK_S + PATIENCE_S - 60) == ""
    await kennel.end(2)
    assert await kennel.looks(STUCK_S - 30) == ""
    assert "stays 7 of 9" in await kennel.looks(60)


async def test_it_leaves(kennel: Kennel, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect `run` to leave with the reason, and its connections to be closed."""
    monkeypatch.setattr(watchdogs, "leave", _raised)
    monkeypatch.setattr(kennel.dog, "every_s", 0.0)
    monkeypatch.setattr(kennel.dog, "look", _found)
    with pytest.raises(SystemExit, match="quick is stuck"):
        await kennel.dog.run()
    assert kennel.kafka.closed


async def _found() -> str:
    return "quick is stuck"


def _raised(reason: str) -> None:
    raise SystemExit(reason)


@pytest.mark.parametrize("failure", [OSError("refused"), TimeoutError(), ZeroDivisionError()])
async def test_its_own_failures_end_nothing(
    kennel: Kennel, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect whatever goes wrong in a look to be like no answer, and the next look to be a new one."""

    def assigned() -> Any:
        raise failure

    kennel.kafka.lags = {QUICK: Lag(7, 9)}
    monkeypatch.setattr(kennel.dog, "_assigned", assigned)
    assert await kennel.looks(2 * STUCK_S) == ""
    partitions: Callable[[], Any] = lambda: [QUICK]  # noqa: E731
    monkeypatch.setattr(kennel.dog, "_assigned", partitions)
    assert "agent quick" in await kennel.looks(STUCK_S + 60)


async def test_never(kennel: Kennel) -> None:
    """I expect a setting of 0 to look never."""
    dog = Watchdog(kennel.flows, list, kennel.kafka, 0.0, {}, WORTH_S)
    await asyncio.wait_for(dog.run(), 1.0)
    assert kennel.kafka.closed
