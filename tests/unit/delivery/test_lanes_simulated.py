"""Whole queues of mail through the lanes, with the agent and the relay around them, in time that takes none."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streamapp.agents import MAILS_IN_LINE
from streamapp.delivery.lanes import Lanes, Turn
from streamapp.jobs.sweep import EVERY_S, LIMIT

PLACES = 8
SILENCE_S = 60.0  # a conversation's whole time


class Skipping(selectors.SelectSelector):
    """Waits for nothing: the time until the next timer has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready now."""
        assert timeout is not None, "everything waits for ever"
        self.now += max(0.0, timeout)
        return super().select(0)


@contextmanager
def skipping() -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """A way to run something on a loop whose clock jumps from timer to timer."""
    selector = Skipping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        yield loop.run_until_complete
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


class Worker:
    """The email topic of one partition, the agent on it, the lanes, the relay, and servers that take `each_s` a mail.

    From `silent_at` on those of a domain that begins with "hangs" say nothing for `SILENCE_S`.
    """

    def __init__(self, each_s: float, silent_at: float = 0.0) -> None:
        self.each_s, self.silent_at = each_s, silent_at
        self.now = asyncio.get_running_loop().time
        self.lanes = Lanes(PLACES, SILENCE_S, self.now)
        self.took: list[tuple[str, float]] = []  # of each mail that was taken: its domain, and seconds since it came
        self.put_off = self.silent = self.most_silent = 0
        self._topic: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self._free = asyncio.Semaphore(PLACES + MAILS_IN_LINE)
        self._due: list[tuple[float, int, tuple[str, float]]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        for work in (self._agent, self._relay):
            self.spawn(work())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def come(self, domains: list[str], per_s: float = 0.0) -> None:
        """Mails come, all at once or so many a second."""
        for domain in domains:
            self._topic.put_nowait((domain, self.now()))
            if per_s:
                await asyncio.sleep(1 / per_s)

    async def taken(self, count: int) -> None:
        """Wait until so many are taken."""
        while len(self.took) < count:
            await asyncio.sleep(0.01)

    async def _agent(self) -> None:
        while True:
            mail = await self._topic.get()
            await self._free.acquire()
            self.spawn(self._deliver(mail))

    async def _relay(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            for _ in range(LIMIT):
                if self._due and self._due[0][0] <= self.now():
                    self._topic.put_nowait(heapq.heappop(self._due)[2])

    async def _deliver(self, mail: tuple[str, float]) -> None:
        turn = await self.lanes.enter(mail[0])
        if isinstance(turn, Turn):
            with turn:
                turn.ended(hung=await self._converse(*mail))
        else:
            self.put_off += 1
            heapq.heappush(self._due, (self.now() + turn.delay_s, next(self._numbers), mail))
        self._free.release()

    async def _converse(self, domain: str, came: float) -> bool:
        if domain.startswith("hangs") and self.now() >= self.silent_at:
            self.silent += 1
            self.most_silent = max(self.most_silent, self.silent)
            await asyncio.sleep(SILENCE_S)
            self.silent -= 1
            return True
        await asyncio.sleep(self.each_s * random.uniform(0.8, 1.2))
        self.took.append((domain, self.now() - came))
        return False


@pytest.mark.parametrize("each_s", [0.005, 0.02, 0.1])
def test_a_burst_to_one_domain_keeps_its_places_busy(each_s: float) -> None:
    """I expect 2,000 at once to go nearly as fast as half of the places allow, put off once or twice each."""

    async def burst() -> None:
        worker = Worker(each_s)
        await worker.come(["sink.example"] * 2000)
        await worker.taken(2000)
        assert worker.now() < 2000 * each_s / (PLACES / 2) * 1.2 + 8.0
        assert worker.put_off < 2 * 2000

    with skipping() as run:
        run(burst())


def test_what_has_its_turn_soon_is_not_put_off() -> None:
    """I expect none of 2,000 to one domain to be put off that come at three quarters of the pace of its places."""

    async def burst() -> None:
        worker = Worker(0.02)
        await worker.come(["sink.example"] * 2000, per_s=150.0)
        await worker.taken(2000)
        assert worker.put_off == 0
        assert max(took for _, took in worker.took) < 2.0

    with skipping() as run:
        run(burst())


@pytest.mark.parametrize("hanging", [1, 2])
@pytest.mark.parametrize("silent_at", [0.0, 0.5, 3.0])
def test_domains_that_hang_delay_nobody_else(hanging: int, silent_at: float) -> None:
    """I expect others' mail to pass 2,000 for domains that hang, at once or in the middle of it, as if nothing was."""

    async def burst() -> None:
        worker = Worker(0.02, silent_at)
        await worker.come([f"hangs{number % hanging}.example" for number in range(2000)])
        await worker.come([f"{number % 5}.example" for number in range(2400)], per_s=20.0)
        others = sorted(took for domain, took in worker.took if not domain.startswith("hangs"))
        assert len(others) >= 2400 - 5
        assert others[-1] < 0.2
        assert worker.most_silent <= PLACES // 2 + (hanging - 1) * PLACES // 4  # the first one may have been quick

    with skipping() as run:
        run(burst())
