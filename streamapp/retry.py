"""When to try again: a pure decision, so that it can be tested as a table."""

from __future__ import annotations

import asyncio
import random

__all__ = ["Backoff", "delay_s"]


def delay_s(attempt: int, *, first_s: float, longest_s: float, jitter: float | None = None) -> float:
    """Seconds to wait after the failed attempt number `attempt` (from 1): doubling, bounded, with jitter.

    `jitter` (0 to 1, drawn when not given) takes away up to half, so that what failed together does not come back
    together. Source: Brooker, Exponential Backoff And Jitter (2015), "equal jitter".
    """
    whole = min(longest_s, first_s * 2.0 ** min(attempt - 1, 60))
    share = random.random() if jitter is None else jitter
    return whole * (1 - share / 2)


class Backoff:
    """Counts attempts and waits between them."""

    def __init__(self, first_s: float = 0.1, longest_s: float = 15.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.attempts = 0

    async def wait(self) -> None:
        """Wait as long as this attempt deserves."""
        self.attempts += 1
        await asyncio.sleep(delay_s(self.attempts, first_s=self._first_s, longest_s=self._longest_s))
