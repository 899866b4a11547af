"""Which items compute together: a pure decision.

A batch holds as much as the predictor's budget allows. It begins with the item that has waited longest, so that nothing
starves, and is filled with those whose cost is closest to it, because items of like length waste least on padding. An
item under suspicion is always a batch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fit", "Pending", "choose"]


@dataclass(slots=True, eq=False)
class Pending:
    """A prepared item that waits for a batch; `place` is where its outcome goes in its chunk, `alone` a suspicion."""

    ready: Any
    cost: int
    chunk: Any
    place: int
    alone: bool = False
    attempts: int = field(default=0)


@dataclass(slots=True)
class Fit:
    """What halving a batch has shown about the memory; costs are as the predictor counts them."""

    too_large: bool = False
    too_large_alone: bool = False
    fitted: int = 0

    def budget(self, before: int) -> int:
        """What batches may cost from now on: what fitted, where the batch was too large and none of its items alone.

        With an item that does not fit alone it is the item that is too large: others go on in batches as before.
        """
        if not self.too_large or self.too_large_alone or not self.fitted:
            return before
        return min(before, self.fitted)


def choose(waiting: Sequence[Pending], budget: int) -> list[Pending]:
    """The next batch out of `waiting` (oldest first): at least the oldest, and what fits beside it in the budget."""
    if not waiting:
        return []
    oldest = waiting[0]
    if oldest.alone:
        return [oldest]
    waiting = [entry for entry in waiting if not entry.alone]
    if sum(entry.cost for entry in waiting) <= budget:
        return list(waiting)
    ranked = sorted(waiting, key=lambda entry: entry.cost)
    low = high = next(index for index, entry in enumerate(ranked) if entry is oldest)
    spent = oldest.cost
    while True:
        below = ranked[low - 1] if low > 0 else None
        above = ranked[high + 1] if high + 1 < len(ranked) else None
        fits_below = below is not None and spent + below.cost <= budget
        fits_above = above is not None and spent + above.cost <= budget
        if (
            above is not None
            and fits_above
            and not (below is not None and fits_below and oldest.cost - below.cost < above.cost - oldest.cost)
        ):
            high, spent = high + 1, spent + above.cost
        elif below is not None and fits_below:
            low, spent = low - 1, spent + below.cost
        else:
            return ranked[low : high + 1]
