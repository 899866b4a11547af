"""A line for few places in which small work need not wait for all the large work before it.

The turns alternate: one goes to who has waited longest, the next to who needs least. So a letter waits for a book or
two and not for fifty, and a book is never passed by more than every other time. Large work may be kept from the last
of the places, and then a letter waits for no book at all.
"""

from __future__ import annotations

import asyncio
import math
from typing import Generic, TypeVar

__all__ = ["Line"]

T = TypeVar("T")


class Line(Generic[T]):
    """Places, and who waits for one. Last in, first out: what was given back last is taken first.

    No more than `most` places are for work of more than `large` at a time.
    """

    def __init__(self, large: float = math.inf, most: float = math.inf) -> None:
        self._at, self._most = large, most
        self._large = 0  # places that large work has
        self._free: list[T] = []
        self._waiting: list[tuple[int, asyncio.Future[T]]] = []  # in the order of their coming
        self._smallest_next = False

    async def take(self, size: int) -> T:
        """A place, when it is this one's turn; `size` says how much work it is for, in any unit."""
        if self._free and self._may(size):
            return self._taken(size)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        entry = (size, future)
        self._waiting.append(entry)
        try:
            return await future
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not future.cancelled():
                self.give(future.result(), size)  # it was this one's turn just now
            raise

    def give(self, place: T, size: int = 0) -> None:
        """A place is free again, which work of that size had, or is new."""
        self._large -= size > self._at
        self._free.append(place)
        while self._free and (those := [entry for entry in self._waiting if self._may(entry[0])]):
            entry = min(those, key=lambda each: each[0]) if self._smallest_next else those[0]
            self._smallest_next = not self._smallest_next
            self._waiting.remove(entry)
            size, future = entry
            if not future.done():
                future.set_result(self._taken(size))

    def _may(self, size: int) -> bool:
        return size <= self._at or self._large < self._most

    def _taken(self, size: int) -> T:
        self._large += size > self._at
        return self._free.pop()
