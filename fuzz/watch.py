"""Looks at the worker while it is fuzzed: whether it says that it is well, what memory it has, and what it logs."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

__all__ = ["STEP", "Health", "Memory", "Watch", "floors", "growth", "tracebacks"]

HEALTH_S = 0.1
HEALTH_PATIENCE_S = 10.0
MEMORY_S = 0.25
STEP = 10_000  # requests
MB = 1e6
TRACEBACK = re.compile(rb"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(.*)\n?")


@dataclass(slots=True)
class Health:
    """How often it was asked, how often it answered 200, and the longest that took, in seconds."""

    asked: int = 0
    answered: int = 0
    slowest: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """So many requests had been sent, and so many bytes the worker had in memory (RSS)."""

    requests: int
    rss: int


class Watch:
    """Two threads, from ``with`` to its end. `sent` says how many requests there were."""

    def __init__(self, url: str, worker: psutil.Process, sent: Callable[[], int]) -> None:
        self.health = Health()
        self.memory: list[Memory] = []
        self.worker = worker
        self._url = url
        self._sent = sent
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._ask, self._weigh)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def files(self) -> int:
        """How many the worker has open, connections among them."""
        return int(self.worker.num_fds())

    def _ask(self) -> None:
        """One connection for each question: what others do to theirs must not matter."""
        while not self._stop.wait(HEALTH_S):
            began = time.monotonic()
            self.health.asked += 1
            try:
                answer = httpx.get(f"{self._url}/healthz", timeout=HEALTH_PATIENCE_S, trust_env=False)
                self.health.answered += answer.status_code == 200
            except httpx.TransportError:
                continue
            self.health.slowest = max(self.health.slowest, time.monotonic() - began)

    def _weigh(self) -> None:
        while not self._stop.wait(MEMORY_S):
            try:
                self.memory.append(Memory(self._sent(), self.worker.memory_info().rss))
            except psutil.Error:
                return  # it is gone, which the health check says


def floors(memory: list[Memory], step: int = STEP) -> list[Memory]:
    """The least that the worker had within each so many requests: what it held on to, without what passed through."""
    least: dict[int, int] = {}
    for each in memory:
        block = each.requests // step
        least[block] = min(least.get(block, each.rss), each.rss)
    return [Memory(block * step, rss) for block, rss in sorted(least.items())]


def growth(memory: list[Memory], warm: int, step: int = STEP) -> float | None:
    """Bytes by which it grew per `STEP` requests, after the first `warm`; None: there is too little to tell.

    The median of the slopes between all pairs (Theil 1950, Sen 1968): one outlier moves it little.
    """
    points = [each for each in floors(memory, step) if each.requests >= warm]
    slopes = [
        (later.rss - each.rss) * STEP / (later.requests - each.requests)
        for number, each in enumerate(points)
        for later in points[number + 1 :]
    ]
    return sorted(slopes)[len(slopes) // 2] if slopes else None


def tracebacks(log: Path) -> Counter[str]:
    """Those in a log, by the line that they end with."""
    found = TRACEBACK.finditer(log.read_bytes())
    return Counter(each[1].decode(errors="replace") for each in found)
