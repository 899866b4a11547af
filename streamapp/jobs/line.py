"""A line for few places in which small work need not wait for all the large work before it.

The turns alternate: one goes to who has waited longest, the next to who needs least. So a letter waits for a book or
two and not for fifty, and a book is never passed by more than every other time.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

__all__ = ["Line"]

T = TypeVar("T")


class Line(Generic[T]):
    """Places, and who waits for one. Last in, first out: what was given back last is taken first."""

    def __init__(self) -> None:
        self._free: list[T] = []
        self._waiting: list[tuple[int, asyncio.Future[T]]] = []  # in the order of their coming
        self._smallest_next = False

    async def take(self, size: int) -> T:
        """A place, when it is this one's turn; `size` says how much work it is for, in any unit."""
        if self._free:
            return self._free.pop()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        entry = (size, future)
        self._waiting.append(entry)
        try:
            return await future
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not future.cancelled():
                self.give(future.result())  # it was this one's turn just now
            raise

    def give(self, place: T) -> None:
        """A place is free again, or is new."""
        while self._waiting:
            at = min(range(len(self._waiting)), key=lambda index: self._waiting[index][0]) if self._smallest_next else 0
            self._smallest_next = not self._smallest_next
            _, future = self._waiting.pop(at)
            if not future.done():
                future.set_result(place)
                return
        self._free.append(place)
