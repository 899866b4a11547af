"""The relay and the sweep: what a crash left undone is found in the store and done.

It publishes again what is committed and not published, ends what is past its time, and reduces a step whose last
result was stored just before a crash. It looks at rows only, so it never touches what merely waits its turn.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from streamapp.errors import StreamappError
from streamapp.identity import Run
from streamapp.jobs.collect import Collector
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher
from streamapp.store import jobs, ledger, outbox
from streamapp.store.chunks import complete_steps
from streamapp.store.database import Database

__all__ = ["Sweeper"]

logger = logging.getLogger(__name__)

EVERY_S = 1.0
GRACE_S = 5.0  # a row younger than this is being published by the one who wrote it
LIMIT = 500


class Sweeper:
    """Runs until it is stopped."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        progress: Progress,
        collector: Collector,
        predictors: tuple[str, ...],
        job_timeout_s: float,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._progress = progress
        self._collector = collector
        self._predictors = predictors
        self._job_timeout_s = job_timeout_s
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Sweep, wait, and again, until `stop`."""
        while not self._stop.is_set():
            try:
                await self.sweep()
            except StreamappError as error:
                logger.warning("the sweep waits, because %s", error)
            except Exception:
                logger.exception("the sweep raised")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), EVERY_S)

    def stop(self) -> None:
        """End `run` after the sweep that is in work."""
        self._stop.set()

    async def sweep(self, grace_s: float = GRACE_S) -> None:
        """One round."""
        left = await self._database.read(outbox.unpublished_jobs, grace_s, LIMIT)
        await self._publisher.jobs([Run(row.tenant, row.id, row.run) for row in left])
        await self._publisher.chunks(await self._database.read(outbox.unpublished_chunks, grace_s, LIMIT))
        due = await self._database.read(ledger.due, grace_s, LIMIT)
        await self._publisher.deliveries([(row.kind, row.id) for row in due])
        await self._progress.top_up(self._predictors)
        for row in await self._database.read(complete_steps, grace_s, LIMIT):
            await self._collector.reduce(Run(row.tenant, row.id, row.run), row.step)
        await self._end_overdue()

    async def _end_overdue(self) -> None:
        for row in await self._database.read(jobs.overdue, self._job_timeout_s, LIMIT):
            run = Run(row.tenant, row.id, row.run)
            if row.late:
                await self._progress.expire(run)
            else:
                await self._progress.fail(run, f"it was not done after {self._job_timeout_s / 3600:.1f} hours")
