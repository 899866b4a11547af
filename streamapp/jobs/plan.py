"""Planning: a queued job becomes chunks, and the first of them get credits; or it is answered from memory."""

from __future__ import annotations

import logging

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.collect import Collector
from streamapp.jobs.progress import Progress
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import Workshop
from streamapp.models import Job
from streamapp.store import jobs, rooms
from streamapp.store.database import Database

__all__ = ["Planner"]

logger = logging.getLogger(__name__)


class Planner:
    """The inference agent's work."""

    def __init__(
        self, database: Database, workshop: Workshop, progress: Progress, collector: Collector, room: int = 0
    ) -> None:
        self._database = database
        self._workshop = workshop
        self._progress = progress
        self._collector = collector
        self._room = room

    async def plan(self, job: Job) -> None:
        """Plan a run of a job. A job that is planned, ended, cancelled or deleted meanwhile is let be.

        So is one without room: it is published again as soon as another of its tenant has ended.
        """
        run = Run(job.tenant, job.job_id, job.run)
        row = await self._database.read(jobs.get, run)
        if row is None or row.status != "queued":
            logger.info("job %s run %d is not queued: nothing to plan", run.job, run.run)
            return
        if await self._progress.answer(run, row):
            return
        if not await self._database.read(rooms.has_room, run, self._room):
            await self._database.write(rooms.put_back, [run], self._room)
            return
        assignment = Assignment.of(row)
        try:
            outcome = await self._workshop.run_sized(row.size, taskwork.begin, assignment)
        except Permanent as error:
            await self._progress.fail_at(run, None, str(error))
        else:
            complete = await self._progress.take(run, None, outcome)
            if complete is not None:
                await self._collector.reduce(run, complete)
