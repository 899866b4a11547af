"""Runs of which nothing more need be computed: what a model worker remembers of the cancels that it heard.

A chunk of such a run may come for as long as it lies in its topic behind others, so a cancel is remembered for a while.
The memory is bounded by time and by number. A run that is forgotten is computed and its result dropped, as ever.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from streamapp.identity import Run

__all__ = ["Dropped"]

REMEMBERED_S = 600.0
MOST = 10_000  # some 3 MB


class Dropped:
    """A set of runs that forgets. A newer run of the same job is another run. Times are seconds of any one clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: OrderedDict[Run, float] = OrderedDict()  # the oldest first

    def add(self, run: Run) -> None:
        """Remember it from now on."""
        self._heard[run] = self._clock()
        self._heard.move_to_end(run)
        while len(self._heard) > MOST or self._expired(next(iter(self._heard.values()))):
            self._heard.popitem(last=False)

    def __contains__(self, run: Run) -> bool:
        heard = self._heard.get(run)
        return heard is not None and not self._expired(heard)

    def __len__(self) -> int:
        return len(self._heard)

    def _expired(self, heard: float) -> bool:
        return self._clock() - heard > REMEMBERED_S
