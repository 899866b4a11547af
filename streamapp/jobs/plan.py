"""Planning: a queued job becomes chunks, and the first of them get credits; or it is answered from memory."""

from __future__ import annotations

import logging
from typing import NamedTuple

from sqlalchemy import Connection

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.collect import Collector
from streamapp.jobs.errands import Errands
from streamapp.jobs.progress import Progress
from streamapp.jobs.taskwork import Assignment
from streamapp.models import Job
from streamapp.store import jobs, memory, rooms
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow

__all__ = ["Planner"]

logger = logging.getLogger(__name__)


class Planner:
    """The inference agent's work."""

    def __init__(
        self, database: Database, workshop: Errands, progress: Progress, collector: Collector, room: int = 0
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
        row, source, has_room = await self._database.read(_look, run, self._progress.memory_s, self._room)
        if row is None or row.status != "queued":
            logger.info("job %s run %d is not queued: nothing to plan", run.job, run.run)
            return
        if source is not None and await self._progress.answer(run, source):
            return
        if not has_room:
            await self._database.note(rooms.put_back, [run], self._room)
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


class _Look(NamedTuple):
    row: AnyRow | None
    source: AnyRow | None  # the job whose report answers it, if one is remembered
    has_room: bool


def _look(connection: Connection, run: Run, memory_s: float | None, room: int) -> _Look:
    row = jobs.get(connection, run)
    if row is None:
        return _Look(None, None, False)
    source = None
    if memory_s is not None and not row.fresh and row.work_hash is not None:
        source = memory.source_of(connection, run.tenant, row.work_hash, memory_s)
    return _Look(row, source, rooms.has_room(connection, run, room))
