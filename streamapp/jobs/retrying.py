"""Running a job again that ended without a result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streamapp.documents.claim import Blobs
from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.store.database import Database
from streamapp.store.retrying import again
from streamapp.store.sql import AnyRow

__all__ = ["DocumentGone", "Retrying"]

logger = logging.getLogger(__name__)

Publish = Callable[[Sequence[AnyRow]], Coroutine[Any, Any, None]]


class DocumentGone(Permanent):
    """The job's document is not kept any more, so it can't run again."""


class Retrying:
    """Queues next runs. `publish` is told of their rows; it may fail, the relay will do it then."""

    def __init__(self, database: Database, blobs: Blobs, publish: Publish) -> None:
        self._database = database
        self._blobs = blobs
        self._publish = publish
        self._publishing: set[asyncio.Task[None]] = set()

    async def retry(self, row: AnyRow, deadline: float | None = None, *, keep_deadline: bool = True) -> AnyRow | None:
        """Queue the run after that of `row`. None when it has not ended, has succeeded, or is at another run by now.

        Raises `DocumentGone` and `StoreUnavailable`.
        """
        if not await self.has_document(row):
            raise DocumentGone(f"The document of job {row.id} is not kept any more; send it again.")
        run = Run(row.tenant, row.id, row.run)
        queued = await self._database.write(again, run, deadline, keep_deadline=keep_deadline)
        if queued is not None:
            self.publish_soon([queued])
        return queued

    async def has_document(self, row: AnyRow) -> bool:
        """Whether what the job is about is still kept. Raises `StoreUnavailable`."""
        return await asyncio.to_thread(self._blobs.holds, row.document)

    def publish_soon(self, rows: Sequence[AnyRow]) -> None:
        """Publish queued runs; nobody waits for a broker that is slow."""
        task = asyncio.create_task(self._publish_now(rows), name="publish retried jobs")
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_now(self, rows: Sequence[AnyRow]) -> None:
        try:
            await self._publish(rows)
        except Exception:
            logger.exception("%d jobs are left to the relay", len(rows))
