"""The process pool in which a task's own code runs: decoding, splitting, reducing, plotting.

None of that may hold up the event loop, crash the worker or eat its memory, so it happens next door. The pool's
processes end themselves when the worker that started them is gone, also after a kill -9.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from streamapp.errors import TaskFailed, Transient
from streamapp.jobs import taskwork
from streamapp.settings import Settings

__all__ = ["Workshop"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_S = 600.0
PROCESSES = 2


class Workshop:
    """Runs functions of `streamapp.jobs.taskwork` in another process."""

    def __init__(self, settings: Settings, processes: int = PROCESSES) -> None:
        self._settings = settings
        self._processes = processes
        self._pool = self._make()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` next door. Raises what it raised; `TaskFailed` when it crashes twice or is endless."""
        for attempt in (1, 2):
            try:
                return await self._once(work, *args, **kwargs)
            except BrokenProcessPool:
                logger.exception("a task's code took its process down, attempt %d", attempt)
                self._replace()
        raise TaskFailed("the task's code took its process down, twice (out of memory, or a crash in a library)")

    async def warm(self) -> None:
        """Start the processes and their slow imports before the first job needs them."""
        await asyncio.gather(*(self.run(taskwork.warm) for _ in range(self._processes)))

    def close(self) -> None:
        """End the processes now; what they did is done again elsewhere."""
        self._kill(self._pool)

    async def _once(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        pool = self._pool
        try:
            # in a thread: the first call waits until the fork server has imported what it preloads
            future = await asyncio.to_thread(pool.submit, work, *args, **kwargs)
        except RuntimeError as error:  # the pool was shut down while this waited
            raise Transient("the process pool is closing") from error
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), TIMEOUT_S)
        except TimeoutError as error:
            self._replace()
            raise TaskFailed(f"the task's code did not end within {TIMEOUT_S:.0f} s") from error

    def _make(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["streamapp.jobs.taskwork"])
        return ProcessPoolExecutor(self._processes, context, initializer=_enter, initargs=(self._settings,))

    def _replace(self) -> None:
        broken, self._pool = self._pool, self._make()
        self._kill(broken)

    @staticmethod
    def _kill(pool: ProcessPoolExecutor) -> None:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _enter(settings: Settings) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.nice(5)  # the intake's answers come first
    taskwork.open_desk(settings)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
