"""What follows from a step's outcome, in one transaction each: chunks fly, a report is kept, deliveries are due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.jobs.publish import Publisher
from streamapp.jobs.taskwork import Begun
from streamapp.jobs.together import Together, both
from streamapp.jobs.windows import CREDITS_PER_WORKER, ITEMS, Windows
from streamapp.store import credits, ends, jobs, memory, reports, rooms, workers
from streamapp.store.chunks import begin_step
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.memory import Recalled
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Progress"]

logger = logging.getLogger(__name__)

LONGEST_REASON = 2000


class Progress:
    """The transitions that plan, collect and sweep share. `signal` is told of each run that ended by one of them."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        room: int = 0,
        memory_s: float | None = None,
        chunk_items: int = ITEMS,
        signal: Callable[[Run], None] = lambda run: None,
        tell: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._room = room
        self._signal = signal
        self._tell = tell
        self.memory_s = memory_s
        self.windows = Windows(chunk_items)
        self._credits: dict[str, Together[None]] = {}
        self._rooms = Together(self._let_in)

    async def take(self, run: Run, step: int | None, outcome: Begun | Report) -> int | None:
        """Go on from `step` (None: from the queue) with what it came to: the next chunks, or the end.

        Returns the next step when all of its chunks were remembered: it is complete, and no result will say so.
        """
        if isinstance(outcome, Report):
            await self._ended(run, await self._database.note(_finish, run, step, outcome))
            return None
        recalled = await self._recalled(run, outcome)
        left = {chunk.predictor for chunk in outcome.chunks if chunk.digest not in recalled}
        if len(left) == 1 and not (topping := self._topping_up(*left)).busy:
            begun = await topping.in_turn(self._begin_and_fly(run, step, outcome, recalled, *left))
        elif begun := await self._database.note(begin_step, run, step, outcome.step, outcome.chunks, recalled):
            await self.top_up(left)
        return outcome.step if begun and not left else None

    async def answer(self, run: Run, source: AnyRow) -> bool:
        """End a queued job with the remembered report of `source`. False when that is gone: it is to be worked on."""
        due = await self._database.note(_answer, run, source)
        await self._ended(run, due)
        return bool(due)

    async def _recalled(self, run: Run, begun: Begun) -> dict[str, Recalled]:
        """What is remembered of these chunks: read before the transaction that enters them, which holds up others."""
        digests = {chunk.digest for chunk in begun.chunks if chunk.digest is not None}
        if self.memory_s is None or not digests:
            return {}
        return await self._database.read(_known, run, digests, self.memory_s)

    async def fail(self, run: Run, reason: str) -> None:
        """End a job as failed and tell its owner why."""
        logger.warning("job %s failed: %s", run.job, reason)
        await self._cut_short(run, "failed", _storable(reason))

    async def fail_at(self, run: Run, step: int | None, reason: str) -> None:
        """End a job as failed that is still at `step` (None: in the queue); one that has gone on is let be."""
        due = await self._database.write(_end_at, run, step, _storable(reason))
        if due:
            logger.warning("job %s failed: %s", run.job, reason)
        await self._ended(run, due)

    async def expire(self, run: Run) -> None:
        """End a job whose deadline has passed."""
        await self._cut_short(run, "expired", "its deadline passed before it was done")

    async def cancel(self, run: Run) -> bool:
        """End a job because its owner says so; only its webhook is told. False when it had ended before."""
        due = await self._database.write(_cancel, run)
        if due is not None:
            self._signal(run)
            self._tell(run)
        await self._ended(run, due or [])
        return due is not None

    async def were_cancelled(self, runs: Sequence[Run], due: Sequence[Due], predictors: Iterable[str]) -> None:
        """These were cancelled together: tell who waits for them, and give what they leave to others."""
        for run in runs:
            self._signal(run)
            self._tell(run)
        await self._publisher.deliveries(due)
        if runs:
            await self._rooms.add([run.tenant for run in runs])
            await self.top_up(predictors)

    async def _cut_short(self, run: Run, status: str, reason: str) -> None:
        """End it while chunks of it may fly: model workers are told, and need not compute them."""
        due = await self._database.write(_end, run, status, reason)
        if due:
            self._tell(run)
        await self._ended(run, due)

    async def _ended(self, run: Run, due: Sequence[Due]) -> None:
        """Publish what an end brings: deliveries, and the tenant's next job when one waits for room.

        An end of which somebody is told has deliveries; what was let be has none.
        """
        if due:
            self._signal(run)
        await self._publisher.deliveries(due)
        await self._rooms.add([run.tenant])

    async def _let_in(self, tenants: Sequence[str]) -> None:
        """One look for all whose jobs have ended since the last one began."""
        if waiting := await self._database.read(_waiting, sorted(set(tenants)), self._room):
            await self._publisher.jobs(waiting)

    async def top_up(self, predictors: Iterable[str]) -> None:
        """Give free credits to the chunks that are due, and publish them."""
        await both(*(self._topping_up(predictor).add() for predictor in sorted(predictors)))

    def _topping_up(self, predictor: str) -> Together[None]:
        """One for each predictor: who asks while it is under way shares the next."""

        async def call(_: Sequence[None]) -> None:
            await self._fly(predictor, await self._database.note(_take_off, predictor, self.windows))

        if predictor not in self._credits:
            self._credits[predictor] = Together(call)
        return self._credits[predictor]

    async def _begin_and_fly(
        self, run: Run, before: int | None, begun: Begun, recalled: Mapping[str, Recalled], predictor: str
    ) -> bool:
        """Begin a step and give the credits that are free, with one trip to the store. False as of `begin_step`."""
        rows = await self._database.note(_begin_and_take_off, run, before, begun, recalled, predictor, self.windows)
        if rows is None:
            return False
        await self._fly(predictor, rows)
        return True

    async def _fly(self, predictor: str, rows: Sequence[AnyRow]) -> None:
        self.windows.flown(predictor, (row.size for row in rows))
        await self._publisher.chunks(rows)


def _waiting(connection: Connection, tenants: Sequence[str], room: int) -> list[Run]:
    return [run for tenant in tenants for run in rooms.let_in(connection, tenant, room)]


def _known(connection: Connection, run: Run, digests: Collection[str], within_s: float) -> dict[str, Recalled]:
    row = jobs.get(connection, run)
    return {} if row is None or row.fresh else memory.recall(connection, run.tenant, digests, within_s)


def _storable(reason: str) -> str:
    """What a task raised may quote anything: a whole document, NULs, lone surrogates. It must not fail to be stored."""
    whole = reason.encode("utf-8", "replace").decode().replace("\0", "?")
    return whole if len(whole) <= LONGEST_REASON else whole[: LONGEST_REASON - 1] + "…"


def _begin_and_take_off(
    connection: Connection,
    run: Run,
    before: int | None,
    begun: Begun,
    recalled: Mapping[str, Recalled],
    predictor: str,
    windows: Windows,
) -> list[AnyRow] | None:
    credits.await_turn(connection)  # before the tenant's row is written: who has the turn may be about to
    begun_here = begin_step(connection, run, before, begun.step, begun.chunks, recalled)
    return _take_off(connection, predictor, windows) if begun_here else None


def _take_off(connection: Connection, predictor: str, windows: Windows) -> list[AnyRow]:
    lanes = max(1, workers.count(connection))
    given, small = lanes * CREDITS_PER_WORKER, windows.small(predictor, lanes)
    return credits.take_off(connection, predictor, given, small, windows.full(predictor))


def _finish(connection: Connection, run: Run, step: int | None, report: Report) -> list[Due]:
    row = _at(connection, run, step)
    if row is None or not jobs.end(connection, run, "succeeded"):
        return []
    reports.keep(connection, run, report)
    return ends.enter(connection, run, "succeeded", row)


def _answer(connection: Connection, run: Run, source: AnyRow) -> list[Due]:
    """End a queued job with the report of `source`; nothing when either is not as it was any more."""
    row = _at(connection, run, None)
    if row is None or not reports.copy(connection, Run(run.tenant, source.id, source.run), run):
        return []
    items = {"total": source.total, "done": source.total, "remembered": source.total}
    jobs.end(connection, run, "succeeded", **items, remembered_at=source.made_at)
    return ends.enter(connection, run, "succeeded", row)


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
    return ends.enter(connection, run, status, row)


def _cancel(connection: Connection, run: Run) -> list[Due] | None:
    return ends.cancel(connection, run, "cancelled by its owner")
