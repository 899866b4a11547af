"""Waiting for what another process does: nobody tells us, so we look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["until"]


async def until(look: Callable[[], bool], timeout_s: float, every_s: float = 0.1) -> bool:
    """Wait until `look` says so. False when it has not after `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while not look():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(every_s)
    return True
