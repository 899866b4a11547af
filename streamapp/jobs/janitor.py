"""The janitor: finished jobs, tombstones and remembered results go after their time.

Only the worker that sweeps tidies. The document goes first and the job last: a crash in between leaves a job that is
removed the next time, and never a document that nobody knows of. Each transaction touches few rows, so that nobody
waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time

from streamapp.documents.claim import Blobs
from streamapp.jobs.lifetimes import Lifetimes
from streamapp.store import memory, removal
from streamapp.store.database import Database

__all__ = ["Janitor"]

logger = logging.getLogger(__name__)

EVERY_S = 60.0
ROWS = 200  # in a transaction
JOBS = 20
LONGEST_S = 2.0  # of a round: then the sweep goes on, and the rest comes in the next one


class Janitor:
    """Removes what has had its time."""

    def __init__(self, database: Database, blobs: Blobs, lifetimes: Lifetimes, memory_bytes: int = 0) -> None:
        self._database = database
        self._blobs = blobs
        self._lifetimes = lifetimes
        self._memory_bytes = memory_bytes
        self._next = 0.0

    async def tidy(self) -> None:
        """A round, if one is due; as long as there is more to do, one is due at once. Raises `StoreUnavailable`."""
        if time.monotonic() < self._next:
            return
        until = time.monotonic() + LONGEST_S
        removed, more = 0, True
        while more and time.monotonic() < until:
            found = await self._remove_some()
            removed += found
            more = found > 0
        for forget in (self._forget_removed, self._forget_old_results, self._forget_some_results):
            while await forget():
                if time.monotonic() >= until:
                    more = True
                    break
        self._next = 0.0 if more else time.monotonic() + EVERY_S
        if removed:
            logger.info("%d finished jobs were removed after their time", removed)

    async def _forget_removed(self) -> int:
        return await self._database.write(removal.forget, self._lifetimes.tombstones_s, ROWS)

    async def _forget_old_results(self) -> int:
        return await self._database.write(memory.forget_old, self._lifetimes.memory_s or 0.0, ROWS)

    async def _forget_some_results(self) -> int:
        """Of each tenant that has more than its share; they are counted outside of the write transaction."""
        freed = 0
        for tenant, size in (await self._database.read(memory.sizes)).items():
            excess = size - self._memory_bytes
            if excess > 0:
                freed += await self._database.write(memory.forget_some, tenant, excess, ROWS)
        return freed

    async def _remove_some(self) -> int:
        keep_s = self._lifetimes.jobs_s
        if keep_s is None:
            return 0
        rows = await self._database.read(removal.due_for_removal, keep_s, JOBS)
        if not rows:
            return 0
        for row in rows:
            await asyncio.to_thread(self._blobs.delete, row.document)
        keys = [(row.tenant, row.id) for row in rows]
        while not await self._database.write(removal.remove, keep_s, keys, ROWS):
            pass  # whoever waits for the store comes in between
        return len(rows)
