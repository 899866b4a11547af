"""How many chunks fly for each model worker: as many as keep it busy, and no more than it is through with soon.

Four chunks keep one busy that computes a quarter of a second on each, and a job that comes in between waits for no more
than those. One with a GPU is through with four in milliseconds, and its batches hold more than that; and jobs of a few
items would wait for the way to it and back, four at a time. So a predictor has two windows, like a sender in TCP: each
chunk that came back soon widens one by one, one that came back late halves it. Full chunks do so with the credits, of
which there are four at least. All chunks do so with how many may fly beside those while they are small: what flies
beyond the credits never holds more items than the credits would if all their chunks were full.

Source: Jacobson, Congestion Avoidance and Control (1988), for the halving; Brakmo and Peterson, TCP Vegas (1995), for
delay and not loss as what tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from streamapp.store.credits import Small
from streamapp.tasks.contract import Predictor

__all__ = ["CREDITS_PER_WORKER", "Windows"]

CREDITS_PER_WORKER = 4  # chunks, at least
ITEMS = Predictor.chunk_items  # what a chunk is taken to hold until a larger one has flown
DEEPEST, WIDEST = 32, 64
SOON_S, QUICK_S, LATE_S = 0.5, 0.25, 1.0


class Windows:
    """The windows of each predictor, in chunks for each model worker."""

    def __init__(self) -> None:
        self._depth: defaultdict[str, int] = defaultdict(lambda: CREDITS_PER_WORKER)
        self._width: defaultdict[str, int] = defaultdict(lambda: CREDITS_PER_WORKER)
        self._full: defaultdict[str, int] = defaultdict(lambda: 1)

    def full(self, predictor: str) -> int:
        """The items of its largest chunk so far: where items are large, bytes bound a chunk, and not their number."""
        return self._full[predictor]

    def flown(self, predictor: str, sizes: Iterable[int]) -> None:
        """Note the items of chunks that were given credits."""
        self._full[predictor] = max((self._full[predictor], *sizes))

    def credits(self, predictor: str, workers: int) -> int:
        """How many chunks may fly whatever their size, for that many model workers."""
        return workers * self._depth[predictor]

    def small(self, predictor: str, workers: int) -> Small:
        """The room beyond the credits, for that many model workers."""
        depth = self._depth[predictor]
        items = max(ITEMS, self._full[predictor])
        return Small(workers * max(depth, self._width[predictor]), workers * depth * items)

    def back(self, predictor: str, items: int, seconds: float) -> None:
        """Note that a chunk of so many items is back, after so many seconds in the model worker."""
        self._width[predictor] = _moved(self._width[predictor], seconds, QUICK_S, WIDEST)
        if items * 2 > self._full[predictor]:
            self._depth[predictor] = _moved(self._depth[predictor], seconds, SOON_S, DEEPEST)


def _moved(window: int, seconds: float, soon_s: float, most: int) -> int:
    if seconds < soon_s:
        return min(most, window + 1)
    return max(CREDITS_PER_WORKER, window // 2) if seconds > LATE_S else window
