"""Ending what runs in the background, also when a cancel is swallowed.

`asyncio.wait_for` of Python 3.11 returns as if nothing had been when the cancel comes in the moment in which what it
waits for is done (https://github.com/python/cpython/issues/86296), and Kafka's client waits with it for each answer. A
task that goes round and round then never hears that it should end, and whoever awaits it waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

__all__ = ["cancelled"]

logger = logging.getLogger(__name__)

TIMES = 2
EACH_S = 2.0  # for what a task still does when it is cancelled


async def cancelled(tasks: Iterable[asyncio.Task[Any]], each_s: float = EACH_S) -> bool:
    """Cancel the tasks, and those that went on once more; what they raise is not raised here.

    False when some of them still run `each_s` seconds after the last cancel, which the log then names.
    """
    left = set(tasks)
    for _ in range(TIMES):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=each_s)
    if left:
        logger.warning("did not end when it was cancelled: %s", ", ".join(sorted(task.get_name() for task in left)))
    return not left
