"""Reservations that come together go to the store together: one statement for a group, and one publishing after it.

The first one goes at once; whatever has come by the time it is committed is the next group. So there is no timer and no
waiting while there is little to do, and under load a transaction, its statements and the broker's answer are shared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from streamapp.errors import StoreUnavailable
from streamapp.store.database import Database
from streamapp.store.group import answer
from streamapp.store.reservations import NewJob, QueueLength, Reservation, reserve_all
from streamapp.store.sql import AnyRow

__all__ = ["Publish", "Reserver", "Reserves"]

logger = logging.getLogger(__name__)

LARGEST = 128  # jobs: bounds how long the first of a group waits for the last

Publish = Callable[[Sequence[AnyRow]], Awaitable[None]]


class Reserves(Protocol):
    """Reserves jobs."""

    async def reserve(self, new: NewJob) -> Reservation:
        """The job, once that is committed. Raises `StoreUnavailable`, and `JobRemoved` for one that is gone."""


class Reserver:
    """Reserves jobs. `publish` is told of the new ones' rows; it may fail, the relay will do it then."""

    def __init__(self, database: Database, publish: Publish) -> None:
        self._database = database
        self._publish = publish
        self._queue = QueueLength()
        self._waiting: list[tuple[NewJob, asyncio.Future[Reservation]]] = []
        self._running: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[None]] = set()

    async def reserve(self, new: NewJob) -> Reservation:
        """Reserve a job in the next group; returns once that is committed.

        Raises `StoreUnavailable`, and `JobRemoved` when the id or the key names a job that is gone.
        """
        future: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="reserve")
        return await future

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            try:
                outcomes = await self._reserved([new for new, _ in group])
            except BaseException as error:
                outcomes = [error] * len(group)
            answer([future for _, future in group], outcomes)
            self._publish_soon([made.row for made in outcomes if isinstance(made, Reservation) and made.created])

    async def _reserved(self, new: Sequence[NewJob]) -> Sequence[Reservation | BaseException]:
        """A group's outcomes. What makes the database refuse one of them is not the others' fault."""
        try:
            return await self._database.write(reserve_all, new, queue=self._queue)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(new) == 1:
                return [error]
            return [(await self._reserved([each]))[0] for each in new]

    def _publish_soon(self, rows: Sequence[AnyRow]) -> None:
        if not rows:
            return
        task = asyncio.create_task(self._publish_now(rows), name="publish jobs")
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_now(self, rows: Sequence[AnyRow]) -> None:
        try:
            await self._publish(rows)
        except Exception:
            logger.exception("%d jobs are left to the relay", len(rows))
