"""Orphans: documents in the blob store without a job, left by a crash, or where removing a refused one failed.

Removing a document that somebody needs would be worse than all the orphans there can be. So one goes only when

- it lies where documents of jobs lie, and the job in its path does not name it;
- this process has seen it so twice, and between the two lies more time, by a clock that nobody sets, than an upload may
  take, and six hours, in which all that was under way is committed or lost, and a wrong restore is noticed;
- the blob store belongs to this store. The first sweep marks it with the store's id; with another mark nothing is ever
  removed, be it a second deployment in the same bucket or a store that was begun anew.

One worker sweeps at a time: the one that has the lease.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterable
from itertools import islice

from streamapp.documents.claim import BLOB, Blobs
from streamapp.documents.stored import mark, remove, stored
from streamapp.errors import StreamappError
from streamapp.store import leases
from streamapp.store.database import Database
from streamapp.store.orphans import documents_of, store_id

__all__ = ["LEASE", "Orphans"]

logger = logging.getLogger(__name__)

LEASE = "orphans"
MARK = "documents-of"
MARGIN_S = 6 * 3600.0
LOOKS = 4  # in the time that an orphan stays
AT_ONCE = 400  # documents in a statement


class Orphans:
    """Runs until cancelled. `upload_s` is the longest that an upload takes; a test may do without the margin."""

    def __init__(self, database: Database, blobs: Blobs, upload_s: float, margin_s: float = MARGIN_S) -> None:
        self._database = database
        self._blobs = blobs
        self._stays_s = upload_s + margin_s
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._seen: dict[str, float] = {}
        self._warned = False

    async def run(self) -> None:
        """Look, wait, and again."""
        every_s = self._stays_s / LOOKS
        while True:
            try:
                await self.look(2 * every_s)
            except StreamappError as error:
                logger.warning("looking for orphaned documents waits, because %s", error)
            except Exception:
                logger.exception("looking for orphaned documents raised")
            await asyncio.sleep(every_s)

    async def look(self, lease_s: float) -> int:
        """One look, if this one has the lease: how many orphans were removed. Raises `StoreUnavailable`."""
        if not await self._database.write(leases.hold, LEASE, self._owner, lease_s) or not await self._ours():
            self._seen = {}
            return 0
        now, seen, removed = time.monotonic(), self._seen, 0
        self._seen = {}
        found = stored(self._blobs)
        while some := await asyncio.to_thread(lambda: list(islice(found, AT_ONCE))):
            for path in await self._orphans(some):
                self._seen[path] = seen.get(path, now)
                if now - self._seen[path] >= self._stays_s and path in seen:
                    await asyncio.to_thread(remove, self._blobs, path)
                    removed += 1
        if removed:
            logger.info("%d documents without a job were removed", removed)
        return removed

    async def _ours(self) -> bool:
        """Whether the documents are this store's own."""
        own = await self._database.write(store_id)
        found = await asyncio.to_thread(mark, self._blobs, MARK, own)
        if found != own and not self._warned:
            self._warned = True
            logger.warning(
                "the documents in %s are marked as those of another store: none without a job is removed. If they are "
                "this one's alone, remove the object %s there",
                self._blobs.url,
                MARK,
            )
        return found == own

    async def _orphans(self, paths: Iterable[str]) -> list[str]:
        named = {path: key for path in paths if (key := _job_of(path)) is not None}
        known = await self._database.read(documents_of, set(named.values()))
        return [path for path in named if BLOB + path not in known]


def _job_of(path: str) -> tuple[str, str] | None:
    """The tenant and the job in a document's path; None for what is no such path."""
    parts = path.split("/")
    return (parts[1], parts[2]) if len(parts) == 4 else None
