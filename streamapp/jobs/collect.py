"""Collecting: each result is stored once and frees a credit; the last one of a step leads on."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from streamapp.documents.claim import INLINE_BYTES
from streamapp.errors import InvalidMessage, Permanent
from streamapp.identity import Run
from streamapp.jobs import taskwork
from streamapp.jobs.errands import Errands
from streamapp.jobs.line import Line
from streamapp.jobs.packing import Row
from streamapp.jobs.progress import Progress
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.jobs.together import both
from streamapp.models import ChunkResult, WorkerBeat
from streamapp.store import jobs, rests, workers
from streamapp.store.chunks import ChunkKey, results_of, store_result
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Collector", "keep_result"]

logger = logging.getLogger(__name__)

REDUCES = 2  # as many as the workshop has processes: each holds a whole step's results in memory
FEW_ITEMS = 64  # of a small document: their results are read at once, and nobody waits for a place to hold them


class Complete(NamedTuple):
    """A step that has all its results: its job's row, and the results themselves if they are few."""

    row: AnyRow
    rows: list[Row] | None


class Collector:
    """The results agent's work."""

    def __init__(self, database: Database, workshop: Errands, progress: Progress) -> None:
        self._database = database
        self._workshop = workshop
        self._progress = progress
        self._reducing: set[tuple[Run, int]] = set()
        self._tables: Line[int] = Line()
        for number in range(REDUCES):
            self._tables.give(number)

    async def collect(self, result: ChunkResult) -> None:
        """Store a chunk's result. What belongs to an older run, a past step or an ended job is dropped.

        Raises `InvalidMessage` for what can't be the result of its chunk: stored, it would fail the whole job later.
        """
        run = Run(result.tenant, result.job_id, result.run)
        key = ChunkKey(run, result.step, result.predictor, result.chunk)
        complete = await self._database.note(keep_result, key, result.outcomes, result.version)
        if any("out" in outcome for outcome in result.outcomes):  # what was dropped was quick for another reason
            self._progress.windows.back(result.predictor, result.seconds)
        freed = self._progress.top_up([result.predictor])
        await (both(freed, self.reduce(run, result.step, complete)) if complete else freed)

    async def reduce(self, run: Run, step: int, known: Complete | None = None) -> None:
        """Put a complete step together and go on. Doing it twice changes nothing: the transition holds once.

        What of it is `known` is not read again.
        """
        if (run, step) in self._reducing:
            return  # a result that came twice; the first one is at it
        self._reducing.add((run, step))
        complete, began = None, time.monotonic()
        try:
            advanced = await self._advance(run, step, known)
        except Permanent as error:
            await self._progress.fail_at(run, step, str(error))
        else:
            if advanced is not None:
                row, outcome = advanced
                if isinstance(outcome, Report):
                    rests.note(row.task, row.size, time.monotonic() - began)
                complete = await self._progress.take(run, step, outcome)
        finally:
            self._reducing.discard((run, step))
        if complete is not None:
            await self.reduce(run, complete)

    async def _advance(self, run: Run, step: int, known: Complete | None) -> tuple[AnyRow, Begun | Report] | None:
        row = known.row if known else await self._database.read(jobs.get, run)
        if row is None or row.status != "running" or row.step != step or row.unfinished:
            return None
        if row.deadline is not None and await self._database.read(jobs.is_late, run):
            await self._progress.expire(run)  # model workers drop what is late, so parts of it may be missing
            return None
        assignment = Assignment.of(row)
        if known is not None and known.rows is not None:
            return row, await self._workshop.run_sized(row.size, taskwork.advance, assignment, step, known.rows)
        table = await self._tables.take(row.size)
        try:
            rows = await self._database.read(_results, run, step)
            return row, await self._workshop.run_sized(row.size, taskwork.advance, assignment, step, rows)
        finally:
            self._tables.give(table)

    async def note(self, beat: WorkerBeat) -> None:
        """Note a model worker's sign of life; a new one brings credits."""
        await self._database.note(workers.heard, beat)
        await self._progress.top_up(beat.predictors)


def keep_result(
    connection: Connection, key: ChunkKey, outcomes: Sequence[Mapping[str, Any]], version: str | None = None
) -> Complete | None:
    """Store a result that is one. The step, when it has all its results now. Raises `InvalidMessage`.

    It is remembered as that of the predictor's `version`, unless one of its items failed.
    """
    for number, outcome in enumerate(outcomes):
        said = isinstance(outcome.get("error"), str) if "error" in outcome else isinstance(outcome.get("out"), dict)
        if not said or len(outcome) != 1:
            raise InvalidMessage(f'outcome {number} is neither {{"out": an object}} nor {{"error": text}}')
    faultless = not any("error" in outcome for outcome in outcomes)
    made = json.dumps(outcomes).encode()
    row = store_result(connection, key, made, version if faultless else None, len(outcomes))
    if row is None:
        return None
    # what is put together next is read in the transaction that made it complete: a trip to the store less, or two
    few = row.size <= INLINE_BYTES and row.total <= FEW_ITEMS
    return Complete(row, _results(connection, key.run, key.step) if few else None)


def _results(connection: Connection, run: Run, step: int) -> list[Row]:
    return [Row(each.predictor, each.chunk, each.payload, each.outcomes) for each in results_of(connection, run, step)]
