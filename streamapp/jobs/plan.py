"""Planning: a queued job becomes chunks, and the first of them get credits; or it is answered from memory."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from sqlalchemy import Connection

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.collect import Collector
from streamapp.jobs.errands import Errands
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import run_of
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.models import Job
from streamapp.store import jobs, memory, rooms
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

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

    async def plan(self, job: Job) -> bool:
        """Plan a run of a job. A job that is planned, ended, cancelled or deleted meanwhile is let be.

        So is one without room: it is published again as soon as another of its tenant has ended. False for that one,
        which is still in the queue.
        """
        run = Run(job.tenant, job.job_id, job.run)
        look = await self._look(run)
        settled = await self._settled(run, look)
        if settled is None:
            assert look.row is not None  # else it would be settled
            await self._go_on(run, await self._split(look.row))
        return settled is None or settled

    async def begin(self, row: AnyRow) -> bool:
        """The same for a run that was reserved just now. It is split meanwhile, in vain where it is let be."""
        run = run_of(row)
        look, split = await asyncio.gather(self._look(run), self._split(row), return_exceptions=True)
        if isinstance(look, BaseException):
            raise look
        settled = await self._settled(run, look)
        if settled is None:
            await self._go_on(run, split)
        return settled is None or settled

    async def _look(self, run: Run) -> _Look:
        return await self._database.read(_look, run, self._progress.memory_s, self._room)

    async def _settled(self, run: Run, look: _Look) -> bool | None:
        """None for a run that is to be planned; else whether it is out of the queue."""
        if look.row is None or look.row.status != "queued":
            logger.info("job %s run %d is not queued: nothing to plan", run.job, run.run)
            return True
        if look.source is not None and await self._progress.answer(run, look.source):
            return True
        if not look.has_room:
            await self._database.note(rooms.put_back, [run], self._room)
            return False
        return None

    async def _split(self, row: AnyRow) -> Begun | Report | Permanent:
        try:
            return await self._workshop.run_sized(row.size, taskwork.begin, Assignment.of(row))
        except Permanent as error:
            return error

    async def _go_on(self, run: Run, split: Begun | Report | BaseException) -> None:
        if isinstance(split, Permanent):
            await self._progress.fail_at(run, None, str(split))
        elif isinstance(split, BaseException):
            raise split
        else:
            complete = await self._progress.take(run, None, split)
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
