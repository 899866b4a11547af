"""What the jobs worker starts before it takes messages and stops after: topics, workshop, sweep, model workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from streamapp.cancelling import cancelled
from streamapp.jobs.insight import Insight
from streamapp.jobs.left import warn_of_left
from streamapp.jobs.offsets import Offsets
from streamapp.jobs.publish import Publisher
from streamapp.jobs.rewind import refuse_older_store
from streamapp.jobs.sweep import Sweeper
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.tasks.heavy import warn_of
from streamapp.tasks.registry import Registry
from streamapp.topics import provision

__all__ = ["JobsWorker"]

logger = logging.getLogger(__name__)

LAST_SWEEP_S = 2.0


class Supervised(Protocol):
    """What `JobsWorker` needs of the model workers' supervisor."""

    def start(self) -> None:
        """Start them; returns at once."""

    async def stop(self) -> None:
        """Stop them, within a bounded time."""


class JobsWorker:
    """The parts of the jobs app. `keepers` run from when it is started until it stops.

    `first` is called before anything is started, `ready` once the store has its tables; both may refuse to start.
    """

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
        offsets: Offsets,
        close_mail: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._database = database
        self._publisher = publisher
        self._workshop = workshop
        self._sweeper = sweeper
        self._model_workers = model_workers
        self._insight = insight
        self._offsets = offsets
        self._close_mail = close_mail
        self.first: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.ready: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.keepers: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._sweeping: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The model workers first: their start is the longest."""
        if self.first is not None:
            await self.first()
        self._model_workers.start()
        warn_of(self._registry.brought)
        await asyncio.to_thread(migrate, self._database)
        if self.ready is not None:
            await self.ready()
        await warn_of_left(self._database, self._registry)
        self._publisher.partitions = await provision(self._settings, self._registry.predictors)
        await refuse_older_store(self._settings, self._database)
        self._tasks.append(asyncio.create_task(self._workshop.warm(), name="workshop-warm"))

    async def started(self) -> None:
        """The producer runs: what a crash left behind can be published."""
        self._sweeping = asyncio.create_task(self._sweeper.run(), name="sweep")
        self._tasks.append(self._sweeping)
        self._tasks.append(asyncio.create_task(self._insight.run(), name="insight"))
        self._tasks += [asyncio.create_task(keeper(), name=f"keeper {at}") for at, keeper in enumerate(self.keepers)]

    async def draining(self) -> None:
        """The model workers drain beside this one, and the sweep brings nothing more."""
        self._sweeper.stop()
        self._stopping = asyncio.create_task(self._model_workers.stop(), name="model-workers-stop")

    async def stop(self) -> None:
        """In the reverse order; the mail server is told goodbye beside that, within a few seconds."""
        goodbye = asyncio.create_task(self._close_mail(), name="mail-close")
        if self._stopping is not None:
            await self._stopping
        if self._sweeping is not None:
            await asyncio.wait({self._sweeping}, timeout=LAST_SWEEP_S)  # it gives its lease back
        await cancelled(self._tasks)
        await goodbye
        await self._offsets.close()
        self._workshop.close()
