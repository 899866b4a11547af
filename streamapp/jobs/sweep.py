"""The relay and the sweep: what a crash left undone is found in the store and done.

It publishes again what is committed and not published, ends what is past its time, and reduces a step whose last
result was stored just before a crash. It looks at rows only, so it never touches what merely waits its turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

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
        self._reducing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Sweep, wait, and again, until `stop`."""
        while not self._stop.is_set():
            await self.sweep()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), EVERY_S)

    def stop(self) -> None:
        """End `run` after the sweep that is in work."""
        self._stop.set()

    async def sweep(self, grace_s: float = GRACE_S) -> None:
        """One round. Never raises: what one part meets holds up none of the others."""
        await _guarded("relaying", self._relay(grace_s))
        await _guarded("topping up", self._progress.top_up(self._predictors))
        await _guarded("ending what is overdue", self._end_overdue())
        await _guarded("looking for complete steps", self._reduce(grace_s))

    async def _relay(self, grace_s: float) -> None:
        left = await self._database.read(outbox.unpublished_jobs, grace_s, LIMIT)
        await self._publisher.jobs([Run(row.tenant, row.id, row.run) for row in left])
        await self._publisher.chunks(await self._database.read(outbox.unpublished_chunks, grace_s, LIMIT))
        await self._publisher.deliveries(await self._database.read(ledger.due, grace_s, LIMIT))

    async def _reduce(self, grace_s: float) -> None:
        """In tasks of their own, since a reduce may take minutes; the collector does none twice at a time."""
        if self._reducing:
            return
        for row in await self._database.read(complete_steps, grace_s, LIMIT):
            reduce = self._collector.reduce(Run(row.tenant, row.id, row.run), row.step)
            task = asyncio.create_task(_guarded(f"reducing {row.id}", reduce), name=f"reduce {row.id}")
            self._reducing.add(task)
            task.add_done_callback(self._reducing.discard)

    async def _end_overdue(self) -> None:
        for row in await self._database.read(jobs.overdue, self._job_timeout_s, LIMIT):
            run = Run(row.tenant, row.id, row.run)
            if row.late:
                await self._progress.expire(run)
            else:
                await self._progress.fail(run, f"it was not done after {self._job_timeout_s / 3600:.1f} hours")


async def _guarded(what: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except StreamappError as error:
        logger.warning("%s waits, because %s", what, error)
    except Exception:
        logger.exception("%s raised", what)
