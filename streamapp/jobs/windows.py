"""How many chunks fly beyond the credits, where they are small and come back quickly.

Four chunks for each model worker keep one busy that computes a quarter of a second on each, and a job that comes in
between waits for no more than those. But jobs of a few items, for a model that is through with them in milliseconds,
would wait for the way to it and back, four at a time. So a predictor has a window, like a sender in TCP: each chunk
that came back quickly widens it by one, one that came back late halves it. What flies beyond the credits never holds
more items than the credits would if all their chunks were full, so that a newcomer waits no longer than behind those.

Source: Jacobson, Congestion Avoidance and Control (1988), for the halving; Brakmo and Peterson, TCP Vegas (1995), for
delay and not loss as what tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from streamapp.store.credits import Small
from streamapp.tasks.contract import Predictor

__all__ = ["CREDITS_PER_WORKER", "ITEMS", "Windows"]

CREDITS_PER_WORKER = 4  # chunks: about two batches' worth
ITEMS = Predictor.chunk_items  # what a chunk is taken to hold until a larger one has flown
WIDEST = 64
QUICK_S, LATE_S = 0.25, 1.0


class Windows:
    """A window for each predictor, in chunks for each model worker. No chunk has more than `chunk_items` items."""

    def __init__(self, chunk_items: int = ITEMS) -> None:
        self._least = min(ITEMS, chunk_items)
        self._width: defaultdict[str, int] = defaultdict(lambda: CREDITS_PER_WORKER)
        self._full: defaultdict[str, int] = defaultdict(lambda: 1)

    def full(self, predictor: str) -> int:
        """The items of its largest chunk so far: where items are large, bytes bound a chunk, and not their number."""
        return self._full[predictor]

    def flown(self, predictor: str, sizes: Iterable[int]) -> None:
        """Note the items of chunks that were given credits."""
        self._full[predictor] = max((self._full[predictor], *sizes))

    def small(self, predictor: str, workers: int) -> Small:
        """The room beyond the credits, for that many model workers."""
        items = CREDITS_PER_WORKER * max(self._least, self._full[predictor])
        return Small(workers * self._width[predictor], workers * items)

    def back(self, predictor: str, seconds: float) -> None:
        """Note that a chunk is back, after so many seconds in the model worker."""
        width = self._width[predictor]
        if seconds < QUICK_S:
            self._width[predictor] = min(WIDEST, width + 1)
        elif seconds > LATE_S:
            self._width[predictor] = max(CREDITS_PER_WORKER, width // 2)
