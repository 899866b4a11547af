"""Work that a worker begins when it sends a message, and not only when the message has come back to it over Kafka.

The message stays what the work depends on: who gets it finds the work over, waits for it, or does it. So nothing is
acknowledged sooner for it, and what was begun and not brought to its end (it raised, it was put off, the worker died)
is done by whoever reads the message then. See docs/adr/0032.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Early"]

logger = logging.getLogger(__name__)

AT_ONCE = 16  # under way; what comes meanwhile is for all workers to share
REMEMBERED = 1000  # whose messages have not come yet, or went to other workers

Key = TypeVar("Key", bound=Hashable)


class Early(Generic[Key]):
    """Work by what it is done on. Its answer says whether that is over for good, so that no message changes it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tasks: dict[Key, asyncio.Task[bool]] = {}
        self._under_way: set[asyncio.Task[bool]] = set()
        self._draining = False

    def begin(self, key: Key, work: Callable[[], Awaitable[bool]]) -> bool:
        """Begin, unless enough is under way. Returns at once."""
        if self._draining or len(self._under_way) >= AT_ONCE:
            return False
        task = asyncio.create_task(self._run(work), name=f"begun {self._what} {key}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        self._tasks[key] = task
        if len(self._tasks) > REMEMBERED:
            del self._tasks[next(iter(self._tasks))]
        return True

    async def is_over(self, key: Key) -> bool:
        """Whether nothing is left to be done, now that its message has come. Waits for what is under way."""
        task = self._tasks.pop(key, None)
        if task is None:
            return False
        await asyncio.wait({task})  # which a cancel of this one leaves alone
        return not task.cancelled() and task.result()

    async def drain(self, timeout_s: float) -> bool:
        """Begin nothing more, and wait for what is under way. False when some of it was given up."""
        self._draining = True
        if not self._under_way:
            return True
        _, left = await asyncio.wait(set(self._under_way), timeout=timeout_s)
        for task in left:
            logger.warning("%s is left to its message: it did not end within %.0f s", task.get_name(), timeout_s)
            task.cancel()
        return not left

    async def _run(self, work: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await work()
        except Exception as error:  # said by the one who gets the message, should it be the same again
            logger.info("a begun %s is left to its message: %r", self._what, error)
            return False
