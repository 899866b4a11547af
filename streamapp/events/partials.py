"""Partial reports of the jobs that somebody follows, made one at a time in the workshop and never often.

A partial report is about the chunks from the first one on that have all their results. So it depends on their number
alone, and whoever resumes at another worker is told the same of as many, in the same order.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from streamapp.errors import Permanent, StoreUnavailable, Transient
from streamapp.event_resources import PartialEvent
from streamapp.events.jobplace import Partial
from streamapp.events.watch import JobWatch, Watch
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.packing import Row
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import Workshop
from streamapp.store.database import Database
from streamapp.store.prefix import Prefix, prefix
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report, Step
from streamapp.tasks.registry import Registry

__all__ = ["Partials"]

logger = logging.getLogger(__name__)

PAUSE_S = 1.0
LEAST_S = 5.0  # between two of the same job
COSTS = 10  # and at least so many times what the last one took
LARGEST = 32 << 20  # bytes of results; of more there is no partial report


@dataclass(slots=True)
class _Made:
    """What was made of a run for those of one `JobWatch`: whoever comes after the last of them begins with none."""

    run: Run
    watched: JobWatch
    done: int = 0
    chunks: int = 0
    due: float = 0.0


class Partials:
    """Makes them for the jobs in a `Watch`. `run` goes on until cancelled."""

    def __init__(
        self,
        database: Database,
        workshop: Workshop,
        registry: Registry,
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._workshop = workshop
        self._watch = watch
        self._clock = clock
        self._able = {
            (name, at): [predictor.name for predictor in step.predictors]
            for name, task in registry.items()
            for at, step in enumerate(task.steps)
            if type(step).partial is not Step.partial
        }
        self._made: dict[tuple[str, str], _Made] = {}

    async def run(self) -> None:
        """Make what is due, one after the other."""
        while True:
            await asyncio.sleep(PAUSE_S)
            await self.make_next()

    async def make_next(self) -> None:
        """Make the one that is due longest, if any is."""
        self._made = {key: made for key, made in self._made.items() if key in self._watch.jobs}
        due = [(self._due(watched), key) for key, watched in self._watch.jobs.items() if self._is_due(watched)]
        if not due:
            return
        _, key = min(due)
        watched = self._watch.jobs[key]
        began = self._clock()
        try:
            await self._make(watched)
        except Permanent as error:
            logger.warning("no partial report of job %s: %s", key[1], error)
            self._made[key].due = float("inf")
        except (StoreUnavailable, Transient) as error:
            logger.warning("no partial report for now: %s", error)
        except Exception:
            logger.exception("making a partial report of job %s raised", key[1])
            self._made[key].due = float("inf")
        made = self._made[key]
        made.due = max(made.due, self._clock() + max(LEAST_S, COSTS * (self._clock() - began)))

    def _is_due(self, watched: JobWatch) -> bool:
        if watched.job is None:
            return False
        row = watched.job.row
        if row.status != "running" or (row.task, row.step) not in self._able:
            return False
        return row.done > self._of(watched, row).done and self._due(watched) <= self._clock()

    def _due(self, watched: JobWatch) -> float:
        return 0.0 if watched.job is None else self._of(watched, watched.job.row).due

    def _of(self, watched: JobWatch, row: AnyRow) -> _Made:
        run = Run(row.tenant, row.id, row.run)
        made = self._made.get((row.tenant, row.id))
        if made is None or made.run != run:
            made = self._made[row.tenant, row.id] = _Made(run, watched)
        elif made.watched is not watched:
            made = self._made[row.tenant, row.id] = _Made(run, watched, due=made.due)
        return made

    async def _make(self, watched: JobWatch) -> None:
        assert watched.job is not None
        row = watched.job.row
        made = self._of(watched, row)
        made.done = row.done
        predictors = self._able[row.task, row.step]
        known = await self._database.read(prefix, made.run, row.step, predictors, made.chunks, LARGEST)
        if known is None:
            return
        rows = [Row(each.predictor, each.chunk, each.payload, each.outcomes) for each in known.rows]
        report = await self._workshop.run_sized(
            known.job.size, taskwork.partial, Assignment.of(known.job), row.step, rows
        )
        made.chunks = known.chunks
        if report is not None:
            watched.partial = _partial(made.run, row.step, known, report)
            for wake in watched.wakes:
                wake.set()


def _partial(run: Run, step: int, known: Prefix, report: Report) -> Partial:
    event = PartialEvent(
        job_id=run.job,
        items=known.items,
        subject=report.subject,
        text=report.text,
        html=report.html,
        data=report.data,
    )
    digest = hashlib.blake2s(event.model_dump_json(exclude={"items"}).encode(), digest_size=6).hexdigest()
    return Partial(run.run, step, known.chunks, digest, event.model_dump_json().encode())
