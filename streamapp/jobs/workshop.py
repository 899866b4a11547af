"""The process pool in which a task's own code runs: decoding, splitting, reducing, plotting.

None of that may hold up the event loop, crash the worker or eat its memory, so it happens next door. The pool's
processes end themselves when the worker that started them is gone, also after a kill -9.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakSet

from streamapp.documents.claim import INLINE_BYTES
from streamapp.errors import TaskFailed, Transient
from streamapp.jobs import taskwork
from streamapp.jobs.line import Line
from streamapp.nextdoor import forks, leave_with_parent
from streamapp.settings import Settings

__all__ = ["PROCESSES", "TIMEOUT_S", "Workshop"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_S = 600.0
PROCESSES = max(2, min(4, os.cpu_count() or 1))


class Workshop:
    """Runs functions of `streamapp.jobs.taskwork` in another process.

    Each process is a pool of its own and has one call at a time, so that a crash or an endless loop is its own call's
    alone, and waiting for a free process counts as no time. One process is for small documents only: planning fifty
    books takes a while, and a short job must not wait for any of them.
    """

    def __init__(self, settings: Settings, processes: int = PROCESSES) -> None:
        self._settings = settings
        self._processes = processes
        self._pools: set[ProcessPoolExecutor] = set()
        self._started: WeakSet[ProcessPoolExecutor] = WeakSet()
        self._line: Line[ProcessPoolExecutor] = Line(INLINE_BYTES, processes - 1 or processes)
        self._closed = False

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` next door. Raises what it raised; `TaskFailed` when it crashes twice or is endless."""
        return await self.run_sized(0, work, *args, **kwargs)

    async def run_sized(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for work on `size` bytes of document, which may let smaller work go before it."""
        for attempt in (1, 2):
            try:
                return await self.once(size, partial(work, *args, **kwargs), TIMEOUT_S)
            except BrokenProcessPool:
                if self._closed:
                    raise Transient("the process pool is closing") from None
                logger.exception("a task's code took its process down, attempt %d", attempt)
        raise TaskFailed("the task's code took its process down, twice (out of memory, or a crash in a library)")

    async def once(self, size: int, call: Callable[[], T], limit_s: float) -> T:
        """Call it next door. `TaskFailed` when it takes longer than `limit_s`, `BrokenProcessPool` when it crashes."""
        self._open()
        pool = await self._line.take(size)
        try:
            future = await self._submitted(pool, call)
            return await asyncio.wait_for(asyncio.wrap_future(future), limit_s)
        except TimeoutError as error:
            pool = self._instead_of(pool)
            raise TaskFailed(f"the task's code did not end within {limit_s:.0f} s") from error
        except (BrokenProcessPool, asyncio.CancelledError):
            pool = self._instead_of(pool)
            raise
        finally:
            self._line.give(pool, size)

    async def warm(self) -> None:
        """Start the processes and their slow imports before the first job needs them."""
        await asyncio.gather(*(self.run(taskwork.warm) for _ in range(self._processes)))

    def close(self) -> None:
        """End the processes now; what they did is done again elsewhere."""
        self._closed = True
        for pool in self._pools:
            _kill(pool)

    async def _submitted(self, pool: ProcessPoolExecutor, call: Callable[[], T]) -> Future[T]:
        """A pool's first call is made in a thread: it waits until the fork server has imported what it preloads."""
        if pool in self._started:
            return _submit(pool, call)
        future = await asyncio.to_thread(_submit, pool, call)
        self._started.add(pool)
        return future

    def _open(self) -> None:
        """Make the pools when they are first needed: a worker that is refused its configuration leaves none behind."""
        if not self._pools and not self._closed:
            self._pools = {self._make() for _ in range(self._processes)}
            for pool in self._pools:
                self._line.give(pool)

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, forks(), initializer=_enter, initargs=(self._settings,))

    def _instead_of(self, broken: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._pools.discard(broken)
        _kill(broken)
        if self._closed:
            return broken
        pool = self._make()
        self._pools.add(pool)
        return pool


def _submit(pool: ProcessPoolExecutor, call: Callable[[], T]) -> Future[T]:
    try:
        return pool.submit(call)
    except BrokenProcessPool:
        raise
    except RuntimeError as error:
        raise Transient("the process pool is closing") from error


def _kill(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


def _enter(settings: Settings) -> None:
    threading.Thread(target=leave_with_parent, daemon=True).start()
    os.nice(5)  # the intake's answers come first
    taskwork.open_desk(settings)
