"""What follows from a step's outcome, in one transaction each: chunks fly, a report is kept, deliveries are due."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.jobs.publish import Publisher
from streamapp.jobs.taskwork import Begun
from streamapp.store import credits, jobs, ledger, reports, rooms, workers
from streamapp.store.chunks import begin_step
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["CREDITS_PER_WORKER", "Progress"]

logger = logging.getLogger(__name__)

CREDITS_PER_WORKER = 4  # chunks: about two batches' worth
LONGEST_REASON = 2000


class Progress:
    """The transitions that plan, collect and sweep share."""

    def __init__(self, database: Database, publisher: Publisher, room: int = 0) -> None:
        self._database = database
        self._publisher = publisher
        self._room = room

    async def take(self, run: Run, step: int | None, outcome: Begun | Report) -> None:
        """Go on from `step` (None: from the queue) with what it came to: the next chunks, or the end."""
        if isinstance(outcome, Report):
            await self._ended(run, await self._database.write(_finish, run, step, outcome))
        elif await self._database.write(begin_step, run, step, outcome.step, outcome.chunks):
            await self.top_up({chunk.predictor for chunk in outcome.chunks})

    async def fail(self, run: Run, reason: str) -> None:
        """End a job as failed and tell its owner why."""
        logger.warning("job %s failed: %s", run.job, reason)
        await self._ended(run, await self._database.write(_end, run, "failed", _storable(reason)))

    async def fail_at(self, run: Run, step: int | None, reason: str) -> None:
        """End a job as failed that is still at `step` (None: in the queue); one that has gone on is let be."""
        due = await self._database.write(_end_at, run, step, _storable(reason))
        if due:
            logger.warning("job %s failed: %s", run.job, reason)
        await self._ended(run, due)

    async def expire(self, run: Run) -> None:
        """End a job whose deadline has passed."""
        late = "its deadline passed before it was done"
        await self._ended(run, await self._database.write(_end, run, "expired", late))

    async def cancel(self, run: Run) -> bool:
        """End a job because its owner says so; nobody is told. False when it had ended before."""
        ended = await self._database.write(jobs.end, run, "cancelled", "cancelled by its owner")
        await self._ended(run, [])
        return ended

    async def _ended(self, run: Run, due: Sequence[Due]) -> None:
        """Publish what an end brings: deliveries, and the tenant's next job when one waits for room."""
        await self._publisher.deliveries(due)
        if waiting := await self._database.read(rooms.let_in, run.tenant, self._room):
            await self._publisher.jobs(waiting)

    async def top_up(self, predictors: Iterable[str]) -> None:
        """Give free credits to the chunks that are due, and publish them."""
        for predictor in sorted(predictors):
            rows = await self._database.write(_take_off, predictor)
            await self._publisher.chunks(rows)


def _storable(reason: str) -> str:
    """What a task raised may quote anything: a whole document, NULs, lone surrogates. It must not fail to be stored."""
    whole = reason.encode("utf-8", "replace").decode().replace("\0", "?")
    return whole if len(whole) <= LONGEST_REASON else whole[: LONGEST_REASON - 1] + "…"


def _take_off(connection: Connection, predictor: str) -> list[AnyRow]:
    lanes = max(1, workers.count(connection))
    return credits.take_off(connection, predictor, lanes * CREDITS_PER_WORKER)


def _finish(connection: Connection, run: Run, step: int | None, report: Report) -> list[Due]:
    row = _at(connection, run, step)
    if row is None or not jobs.end(connection, run, "succeeded"):
        return []
    reports.keep(connection, run, report)
    return _enter(connection, run, "succeeded", row.email)


def _at(connection: Connection, run: Run, step: int | None) -> AnyRow | None:
    """The job, if it is at that step (None: in the queue); it stays there until this transaction ends."""
    row = jobs.get(connection, run, lock=True)
    if row is None:
        return None
    here = row.status == "queued" if step is None else row.status == "running" and row.step == step
    return row if here else None


def _end_at(connection: Connection, run: Run, step: int | None, reason: str) -> list[Due]:
    return [] if _at(connection, run, step) is None else _end(connection, run, "failed", reason)


def _end(connection: Connection, run: Run, status: str, reason: str) -> list[Due]:
    row = jobs.get(connection, run)
    if row is None or not jobs.end(connection, run, status, reason):
        return []
    return _enter(connection, run, "failed", row.email)


def _enter(connection: Connection, run: Run, event: str, email: str | None) -> list[Due]:
    due = [ledger.enter(connection, run, event, "notification", run.tenant)]
    if email:
        due.append(ledger.enter(connection, run, event, "email", email))
    return due
