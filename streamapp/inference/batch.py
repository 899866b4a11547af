"""Which items compute together.

A batch holds as much as the predictor's budget allows, and what it begins with takes turns. One begins with the chunk
that has least left to do, so that a short job waits for the batch that computes and not for whole chunks of books; the
next with the item that has waited longest, so that nothing starves. Mostly there is room for both. The rest is filled
with items whose cost is closest, because those of like length waste least on padding. An item under suspicion is always
a batch of its own.

Before each of these, short chunks have a batch to themselves, unless there are so many that it would be a usual one:
filled up with a book's items it would take them as long as a book's. Books are slowed down by that much and no more.

Source: Schrage, A Proof of the Optimality of the Shortest Remaining Processing Time Discipline (1968), for the former.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fit", "Pending", "Turns", "choose"]

RIDER = 2  # a chunk of no more than this part of the budget is short; as many go with the oldest item


@dataclass(slots=True, eq=False)
class Pending:
    """A prepared item that waits for a batch; `place` is where its outcome goes in its chunk, which has `of` items.

    `alone`: it is under suspicion.
    """

    ready: Any
    cost: int
    chunk: Any
    place: int
    of: int
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


class Turns:
    """Whose turn it is to begin a batch: of any four in a row, one begins with the oldest item at the latest."""

    def __init__(self) -> None:
        self._short = False
        self._smallest = False

    def next(self, waiting: Sequence[Pending], budget: int) -> list[Pending]:
        """The next batch out of `waiting`, oldest first."""
        short = [] if self._short else _short(waiting, budget)
        self._short = bool(short)
        if short:
            return short
        self._smallest = not self._smallest
        return choose(waiting, budget, smallest=self._smallest)


def choose(waiting: Sequence[Pending], budget: int, *, smallest: bool = False) -> list[Pending]:
    """The next batch out of `waiting` (oldest first): what it begins with, and what fits beside that in the budget.

    It begins with the oldest item or, where `smallest` is set, with the chunks that have least left to do; the other of
    the two rides along where there is room for it.
    """
    if not waiting:
        return []
    oldest = waiting[0]
    if oldest.alone:
        return [oldest]
    waiting = [entry for entry in waiting if not entry.alone]
    if _cost(waiting) <= budget:
        return list(waiting)
    small = _small(waiting, budget // RIDER)
    first, rider = (small or _of_the_smallest(waiting, budget), [oldest]) if smallest else ([oldest], small)
    begun = list({id(entry): entry for entry in (*first, *rider)}.values())
    if _cost(begun) > budget:
        begun = first
    taken = set(map(id, begun))
    return begun + _beside(begun, [entry for entry in waiting if id(entry) not in taken], budget)


def _short(waiting: Sequence[Pending], budget: int) -> list[Pending]:
    """All short chunks of which nothing was computed yet; none where a batch of the usual kind is as quick, or fuller.

    What is left of a long chunk is not short, however little it is: a batch more for each chunk would slow books down.
    """
    if not waiting or waiting[0].alone or _cost(waiting) <= budget:
        return []
    room = budget // RIDER
    parts = (part for part in _by_chunk(waiting) if len(part) == part[0].of and not part[0].alone)
    short = [entry for part in parts if _cost(part) <= room for entry in part]
    return short if _cost(short) <= room else []


def _small(waiting: Sequence[Pending], room: int) -> list[Pending]:
    """All that waits of the chunks with the least left, as many chunks as there is room for."""
    parts = sorted(_by_chunk(waiting), key=_cost)
    spent = itertools.accumulate(map(_cost, parts))
    return [entry for part, cost in zip(parts, spent, strict=True) if cost <= room for entry in part]


def _of_the_smallest(waiting: Sequence[Pending], budget: int) -> list[Pending]:
    """What fits of the chunk that waits with the least cost: one item at least."""
    mine = min(_by_chunk(waiting), key=_cost)
    spent = itertools.accumulate(entry.cost for entry in mine)
    return [entry for entry, cost in zip(mine, spent, strict=True) if cost <= budget] or mine[:1]


def _by_chunk(waiting: Sequence[Pending]) -> Iterable[list[Pending]]:
    parts: dict[int, list[Pending]] = {}
    for entry in waiting:
        parts.setdefault(id(entry.chunk), []).append(entry)
    return parts.values()


def _cost(entries: Iterable[Pending]) -> int:
    return sum(entry.cost for entry in entries)


def _beside(first: Sequence[Pending], others: Sequence[Pending], budget: int) -> list[Pending]:
    """Those whose cost is closest to that of the first, for as long as the budget holds them all."""
    centre, spent = first[0].cost, _cost(first)
    ranked = sorted(others, key=lambda entry: entry.cost)
    low = high = bisect.bisect_left(ranked, centre, key=lambda entry: entry.cost)  # what is chosen: low to high
    while True:
        below = centre - ranked[low - 1].cost if low > 0 else math.inf
        above = ranked[high].cost - centre if high < len(ranked) else math.inf
        if above <= below and above < math.inf and spent + ranked[high].cost <= budget:
            high, spent = high + 1, spent + ranked[high].cost
        elif below < math.inf and spent + ranked[low - 1].cost <= budget:
            low, spent = low - 1, spent + ranked[low - 1].cost
        else:
            return ranked[low:high]
