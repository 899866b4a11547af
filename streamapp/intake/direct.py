"""What the intake has in a thread without an event loop, in place of what waits for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import TypeVar

from streamapp.intake.pace import Pace
from streamapp.intake.reserver import Publish
from streamapp.store.database import Database
from streamapp.store.reservations import JobRemoved, NewJob, QueueLength, Reservation, reserve_all

__all__ = ["DirectPace", "DirectReserver"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class DirectReserver:
    """Reserves each job by itself. `publish` is told of it; it may fail, the relay will do it then."""

    def __init__(self, database: Database, publish: Publish) -> None:
        self._database = database
        self._publish = publish
        self._queue = QueueLength()

    async def reserve(self, new: NewJob) -> Reservation:
        """Reserve a job. Raises `StoreUnavailable`, and `JobRemoved` when the id or the key names one that is gone."""
        (outcome,) = await self._database.write(reserve_all, [new], queue=self._queue)
        if isinstance(outcome, JobRemoved):
            raise outcome
        if outcome.created:
            try:
                await self._publish([outcome.row])
            except Exception:  # it is accepted all the same
                logger.exception("job %s is left to the relay", outcome.row.id)
        return outcome


class DirectPace(Pace):
    """The clock of a body that is read by blocking: looked at after each piece, since nothing can interrupt a read."""

    async def wait(self, read: Awaitable[T]) -> T:
        """What the client sent next. Raises `Refused` with 408 when it took too long."""
        began = time.monotonic()
        found = await read
        self.took(began)
        return found
