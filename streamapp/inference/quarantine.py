"""How a model worker finds the item that ends it: the journal, the suspects that come of it, and a room to be alone in.

"Alone" means alone in the process: nothing of any other predictor is prepared or computed beside a suspect, so that a
death with one item in the journal is that item's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from streamapp.inference.journal import Journal, left_behind
from streamapp.inference.suspects import Suspects

__all__ = ["Quarantine", "Room"]

logger = logging.getLogger(__name__)


class Room:
    """Held by many at a time, or by one alone. Who wants to be alone waits for those inside, and newcomers for it."""

    def __init__(self) -> None:
        self._inside = 0
        self._wanting = 0
        self._taken = False
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def hold(self, *, alone: bool) -> AsyncIterator[None]:
        """Hold it inside of this block."""
        await (self._enter_alone() if alone else self._until(lambda: not self._taken and not self._wanting))
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._taken = self._taken and not alone
            self._moved.set()

    async def _enter_alone(self) -> None:
        self._wanting += 1
        try:
            await self._until(lambda: not self._taken and not self._inside)
            self._taken = True
        finally:
            self._wanting -= 1
            self._moved.set()

    async def _until(self, free: Callable[[], bool]) -> None:
        while not free():
            self._moved.clear()
            await self._moved.wait()


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What the engines of a process share; the default finds nobody and keeps nothing."""

    journal: Journal = field(default_factory=Journal)
    suspects: Suspects = field(default_factory=Suspects)
    room: Room = field(default_factory=Room)

    @classmethod
    def of_slot(cls, folder: Path, slot: int) -> Quarantine:
        """That of a worker with a slot of its own: whoever had it before has left its journal there."""
        path = folder / f"{slot}.journal"
        suspects = Suspects(folder, slot)
        try:
            left = left_behind(path)
            if left is not None:
                suspects.add(left)
        except OSError as error:
            logger.warning("what the worker before had in work is not known: %s", error)
        return cls(Journal(path), suspects)
