"""What is asked for while a call is under way is done together by the next one.

The first goes at once, so there is no timer and no waiting while there is little to do; under load a transaction, a
batch for the broker and its ack are shared by all who came meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Together", "both"]

T = TypeVar("T")
Done = TypeVar("Done")


class Together(Generic[T]):
    """Calls `call` with what has been collected, one call at a time."""

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._call = call
        self._items: list[T] = []
        self._next: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether a call is under way: what is asked for now shares the next one."""
        return self._next is not None or self._turn.locked()

    async def add(self, items: Sequence[T] = ()) -> None:
        """Returns once a call that began after this, with these among its items, has ended. Raises what it raised."""
        self._items.extend(items)
        if self._next is None:
            self._next = asyncio.create_task(self._run(), name="together")
        await asyncio.shield(self._next)  # it is the others' too

    async def in_turn(self, work: Awaitable[Done]) -> Done:
        """Do something else in place of a call: what is asked for meanwhile waits for its end."""
        async with self._turn:
            return await work

    async def _run(self) -> None:
        async with self._turn:
            items, self._items, self._next = self._items, [], None
            await self._call(items)


async def both(*work: Awaitable[None]) -> None:
    """Do all of it at the same time and to its end. Raises the first error, after the rest has ended too."""
    if len(work) == 1:
        return await work[0]
    for ended in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
