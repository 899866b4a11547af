"""Keeps model workers running: each is a child process, started again with backoff when it ends.

A child process and not a second app in this one, so that a hang, a segfault, the memory and the GIL of a model never
reach the intake.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from streamapp.inference.lifeline import LEASH, LONGEST, READY
from streamapp.leaving import CONFIGURATION, UNAVAILABLE, how_ended
from streamapp.retry import delay_s

__all__ = ["Supervisor", "wait_s"]

logger = logging.getLogger(__name__)

STEADY_S = 30.0  # a child that lived this long starts again at once
LONGEST_S = 30.0
LATELY_S = 600.0  # a child that loads for a minute and then dies is steady by the above, and never of use
# A child that died of its work has loaded its models before, which takes longer than this; and the item that ended it
# has to end three more before it is given up, while all others wait.
LONGEST_READY_S = 1.0
DRAIN_S = 12.0
NOT_STARTED = 71  # EX_OSERR of sysexits.h
GIVES_WAY = 10  # niceness: what computes all the time comes after what answers, plans, reduces and delivers


@dataclass(frozen=True, slots=True)
class _End:
    """How a child ended: in a row after a short life for the `times`-th time, with `code`, negative for a signal.

    `said` is nothing when it was ready, why it can't be, or None when it said nothing.
    """

    at: float
    times: int
    code: int
    said: str | None


class Supervisor:
    """`count` model workers on this machine. `refused` is called when one says that its configuration is wrong."""

    def __init__(self, count: int, log_level: str, refused: Callable[[], None]) -> None:
        self._count = count
        self._log_level = log_level
        self._refused = refused
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ends: dict[int, list[_End]] = defaultdict(list)

    @property
    def trouble(self) -> str | None:
        """How children ended last, in a sentence without its full stop; None when none has. One of them may live."""
        lasts = ((slot, ends[-1]) for slot, ends in sorted(self._ends.items()))
        return "; ".join(_ended(slot, end, end.times, "in a row") for slot, end in lasts) or None

    @property
    def keep_ending(self) -> str | None:
        """The same of the children that ended more than once in the last ten minutes; None when there are none."""
        lately = ((slot, _lately(ends)) for slot, ends in sorted(self._ends.items()))
        again = [_ended(slot, ends[-1], len(ends), "within ten minutes") for slot, ends in lately if len(ends) > 1]
        return "; ".join(again) or None

    def start(self) -> None:
        """Start the children; returns at once."""
        self._tasks = [
            asyncio.create_task(self._keep(slot), name=f"model-worker-{slot}") for slot in range(self._count)
        ]

    async def stop(self) -> None:
        """Let the children finish what they have, for a bounded time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(self._end(process) for process in self._processes.values()))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, slot: int) -> None:
        attempt = 0
        while True:
            started = time.monotonic()
            try:
                code, said = await self._live(slot)
            except OSError as error:  # no memory or no process to be had right now
                logger.error("model worker %d can't be started: %s", slot, error)
                code, said = NOT_STARTED, None
            ready = said == ""
            if code == CONFIGURATION:
                self._refused()
                return
            attempt = 1 if time.monotonic() - started > STEADY_S else attempt + 1
            wait = wait_s(attempt, ready=ready or code == UNAVAILABLE)  # the next one waits for Kafka by itself
            words = "ended" if ready else "ended before it was ready"
            logger.warning("model worker %d %s, with %d; starting again in %.1f s", slot, words, code, wait)
            self._ends[slot] = [*_lately(self._ends[slot]), _End(time.monotonic(), attempt, code, said)]
            await asyncio.sleep(wait)

    async def _live(self, slot: int) -> tuple[int, str | None]:
        """One child's whole life: its exit code, and what it said: nothing when it was ready, or why it can't be."""
        sees, says = os.pipe()
        os.set_blocking(sees, False)
        try:
            try:
                self._processes[slot] = await self._spawn(says)
            finally:
                os.close(says)
            code = await self._processes[slot].wait()
            with suppress(BlockingIOError):  # a grandchild may hold the other end open
                if line := os.read(sees, LONGEST + 1):
                    return code, line.decode("utf-8", "replace").strip()
            return code, None
        finally:
            os.close(sees)

    async def _spawn(self, says: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "faust",
            "-A",
            "streamapp.inference",
            "worker",
            "-l",
            self._log_level,
            stdin=asyncio.subprocess.PIPE,  # the leash: it sees the end of this process
            pass_fds=(says,),
            env={**os.environ, LEASH: "stdin", READY: str(says)},
        )
        with suppress(ProcessLookupError):  # before it has any threads, which then have it from their beginning
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + GIVES_WAY)
        return process

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), DRAIN_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def wait_s(attempt: int, *, ready: bool) -> float:
    """Seconds before a child is started again; `attempt` counts those in a row that lived for a short time."""
    return 0.0 if attempt == 1 else delay_s(attempt - 1, first_s=0.5, longest_s=LONGEST_READY_S if ready else LONGEST_S)


def _lately(ends: list[_End]) -> list[_End]:
    """Those of the last ten minutes."""
    since = time.monotonic() - LATELY_S
    return [end for end in ends if end.at > since]


def _ended(slot: int, end: _End, times: int, when: str) -> str:
    """How often it ended, and how the last time."""
    often = f"ended {times} times {when}" if times > 1 else "ended"
    if end.said:
        return f"model worker {slot} {often} before it was ready: {end.said}"
    early = " before it was ready" if end.said is None else ""
    last = ", the last time" if times > 1 else ""
    return f"model worker {slot} {often}{early}{last} {how_ended(end.code)}, and its log says why"
