"""Deleting a finished job and all that it stored, because its owner says so. What that is: docs/adr/0020."""

from __future__ import annotations

import asyncio

from streamapp.documents.claim import Blobs
from streamapp.store import jobs, removal
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow

__all__ = ["Purging"]

ROWS = 200  # in a transaction


class Purging:
    """Removes one job at a time, as the janitor does: the document first, the job last.

    A crash in between leaves a job that can be deleted once more, and never a document that nobody knows of.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def purge(self, row: AnyRow) -> bool:
        """Remove a job that has ended. False when it has not, or was started again meanwhile.

        Raises `StoreUnavailable`; then it can be done once more.
        """
        if row.status in jobs.ACTIVE:
            return False
        await asyncio.to_thread(self._blobs.delete, row.document)
        while not await self._database.write(removal.remove, None, [(row.tenant, row.id)], ROWS):
            pass  # whoever waits for the store comes in between
        return await self._database.read(jobs.find, row.tenant, row.id) is None
