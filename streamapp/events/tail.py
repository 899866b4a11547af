"""The newest of a tenant's feed, for those who are up to date; who is further behind reads on in the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from streamapp.events.feedplace import Told
from streamapp.store.feed import Place

__all__ = ["Tail"]

KEPT = 256


class Tail:
    """The entries after `floor` and up to `head`, at most `KEPT` of them."""

    def __init__(self, start: Place) -> None:
        self.head = self.floor = start
        self._recent: deque[Told] = deque()

    def extend(self, entries: Sequence[Told], head: Place) -> None:
        """What came after the head, in its order, and where that is now."""
        self._recent.extend(entries)
        self.head = head
        while len(self._recent) > KEPT:
            self.floor = self._recent.popleft().place

    def after(self, place: Place) -> list[Told] | None:
        """What is known to come after that place; None when that is too far back to know."""
        if place < self.floor:
            return None
        return [entry for entry in self._recent if entry.place > place]
