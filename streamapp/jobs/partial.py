"""A report on what there is of a job so far, made when somebody asks for it.

It runs in the workshop like every task's code, beside the reports that jobs wait for: so only one is made at a time,
for a bounded time, and who comes when several wait is told to come again.
"""

from __future__ import annotations

import asyncio

from streamapp.errors import TaskFailed, Transient
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.packing import Row
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import Workshop
from streamapp.store.database import Database
from streamapp.store.leftovers import stored_of
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Busy", "Partial"]

LONGEST_S = 60.0
IN_LINE = 8


class Busy(Transient):
    """Enough of these wait already, or one took too long."""


class Partial:
    """Makes partial reports."""

    def __init__(self, database: Database, workshop: Workshop, longest_s: float = LONGEST_S) -> None:
        self._database = database
        self._workshop = workshop
        self._longest_s = longest_s
        self._one = asyncio.Semaphore(1)
        self._asked = 0

    async def report(self, row: AnyRow) -> Report | None:
        """What the task makes of the results that are there. None when it makes nothing of them, or there are none.

        Raises `TaskFailed` when the task's own code raised, and `Busy`.
        """
        if self._asked >= IN_LINE:
            raise Busy("Several partial reports are being made.")
        self._asked += 1
        try:
            async with asyncio.timeout(self._longest_s), self._one:
                return await self._made(row)
        except TimeoutError as error:
            raise Busy(f"A partial report was not made within {self._longest_s:.0f} s.") from error
        finally:
            self._asked -= 1

    async def _made(self, row: AnyRow) -> Report | None:
        stored = await self._database.read(stored_of, Run(row.tenant, row.id, row.run), row.step)
        if not stored:
            return None
        rows = [Row(each.predictor, each.chunk, each.payload, each.outcomes) for each in stored]
        made = await self._workshop.run_sized(row.size, taskwork.partial, Assignment.of(row), row.step, rows)
        if made is not None and not isinstance(made, Report):
            raise TaskFailed(f"what task {row.task} made of the results so far is no Report")
        return made
