"""A small job is planned where it was accepted, while its message is on its way: the trip over Kafka costs it no time.

Its message goes to a partition that this worker reads, so that no other plans it as well. See docs/adr/0032.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from streamapp.documents.claim import INLINE_BYTES
from streamapp.early import Early
from streamapp.identity import Run
from streamapp.jobs.publish import run_of
from streamapp.jobs.together import both
from streamapp.models import Job
from streamapp.store.sql import AnyRow

__all__ = ["HeadStart"]


class Publishes(Protocol):
    """What `HeadStart` needs of the publisher."""

    async def accepted(self, rows: Sequence[AnyRow], partitions: Sequence[int] | None = None) -> None:
        """Publish jobs that were reserved just now, to these partitions or to all."""


class Plans(Protocol):
    """What `HeadStart` needs of the planner. Both say whether the job has left the queue; it does so once in a run."""

    async def plan(self, job: Job) -> bool:
        """Plan a job that may have been planned before."""

    async def begin(self, row: AnyRow) -> bool:
        """Plan a job that was reserved just now."""


class HeadStart:
    """Goes between what accepts jobs, the publisher and the planner.

    `mine` are the partitions of jobs that this worker reads. None while it takes no messages: nothing is begun then.
    """

    def __init__(self, publisher: Publishes, planner: Plans, mine: Callable[[], Sequence[int]]) -> None:
        self.begun: Early[Run] = Early("job")
        self._publisher = publisher
        self._planner = planner
        self._mine = mine

    async def accepted(self, rows: Sequence[AnyRow]) -> None:
        """Publish jobs that were reserved just now, and begin with those that are small."""
        mine = self._mine()
        begun: list[AnyRow] = []
        left: list[AnyRow] = []
        for row in rows:
            (begun if mine and self._begin(row) else left).append(row)
        parts = ((begun, mine), (left, None))
        await both(*(self._publisher.accepted(some, partitions) for some, partitions in parts if some))

    async def plan(self, job: Job) -> None:
        """The agent's: plan a job whose message has come, unless that was done here."""
        if not await self.begun.is_over(Run(job.tenant, job.job_id, job.run)):
            await self._planner.plan(job)

    def _begin(self, row: AnyRow) -> bool:
        return row.size <= INLINE_BYTES and self.begun.begin(run_of(row), partial(self._planner.begin, row))
