"""What the jobs worker starts before it takes messages and stops after: topics, workshop, sweep, model workers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from streamapp.jobs.insight import Insight
from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.publish import Publisher
from streamapp.jobs.sweep import Sweeper
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.tasks.registry import Registry
from streamapp.topics import provision

__all__ = ["JobsWorker"]

logger = logging.getLogger(__name__)


class Supervised(Protocol):
    """What `JobsWorker` needs of the model workers' supervisor."""

    def start(self) -> None:
        """Start them; returns at once."""

    async def stop(self) -> None:
        """Stop them, within a bounded time."""


class JobsWorker:
    """The parts of the jobs app."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        database: Database,
        publisher: Publisher,
        workshop: Workshop,
        sweeper: Sweeper,
        model_workers: Supervised,
        insight: Insight,
        lost: LostAndFound,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._database = database
        self._publisher = publisher
        self._workshop = workshop
        self._sweeper = sweeper
        self._model_workers = model_workers
        self._insight = insight
        self._lost = lost
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The model workers first: their start is the longest."""
        self._model_workers.start()
        await asyncio.to_thread(migrate, self._database)
        self._publisher.partitions = await provision(self._settings, self._registry.predictors)
        self._tasks.append(asyncio.create_task(self._workshop.warm(), name="workshop-warm"))

    async def started(self) -> None:
        """The producer runs: what a crash left behind can be published."""
        self._tasks.append(asyncio.create_task(self._sweeper.run(), name="sweep"))
        self._tasks.append(asyncio.create_task(self._insight.run(), name="insight"))
        self._tasks.append(asyncio.create_task(self._lost.run(), name="lost-and-found"))

    async def draining(self) -> None:
        """The model workers drain beside this one, and the sweep brings nothing more."""
        self._sweeper.stop()
        self._stopping = asyncio.create_task(self._model_workers.stop(), name="model-workers-stop")

    async def stop(self) -> None:
        """In the reverse order."""
        if self._stopping is not None:
            await self._stopping
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        self._workshop.close()
