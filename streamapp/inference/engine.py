"""One predictor at work: prepares ahead, forms batches, computes, and finds the item that makes a batch fail.

There is no waiting for a batch to fill: when the model is free, it takes what is prepared. While it computes, the next
items are being prepared in another thread, so under load batches are full by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from streamapp.documents.claim import Blobs
from streamapp.errors import Permanent, Transient
from streamapp.inference.batch import Fit, Pending, Turns
from streamapp.inference.devices import Device, is_out_of_memory
from streamapp.inference.dropped import Dropped
from streamapp.inference.predict import Runner
from streamapp.inference.prepare import STOPPED, Preparer
from streamapp.inference.quarantine import Quarantine
from streamapp.inference.verdict import verdict_of
from streamapp.inference.work import ATTEMPTS, Outcome, Work, as_item_error, retry_s
from streamapp.models import Chunk
from streamapp.tasks.contract import ItemError, Predictor

__all__ = ["Engine", "Outcome"]

logger = logging.getLogger(__name__)

PAST_DEADLINE = "the job's deadline passed before this item was computed"
ENDED = "the job ended before this item was computed"


class Engine:
    """Runs `predictor` on chunks. `item` is the type of its items; `leave` is called, with a reason, when only a new
    process can go on. The engines of a process share its `quarantine`, and the runs that are `dropped`.
    """

    def __init__(
        self,
        predictor: Predictor[Any, Any, Any],
        item: type[BaseModel],
        blobs: Blobs,
        leave: Callable[[str], None],
        quarantine: Quarantine | None = None,
        dropped: Dropped | None = None,
    ) -> None:
        self.predictor = predictor
        self._quarantine = quarantine or Quarantine()
        self._preparer = Preparer(predictor, item, blobs, leave, self._quarantine)
        self._runner = Runner(predictor, leave, self._quarantine)
        self._dropped = Dropped() if dropped is None else dropped  # an empty one is false
        self._budget = predictor.budget
        self._waiting: list[Pending] = []
        self._open: set[Work] = set()
        self._closed = False
        self._seen: set[str] = set()
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.items = 0

    @property
    def seconds_busy(self) -> float:
        """Seconds in `predict`."""
        return self._runner.seconds_busy

    @property
    def budget(self) -> int:
        """What a batch may cost: the predictor's budget on its device, or what fitted when that was too much for it."""
        return self._budget

    async def load(self, device: str | Device) -> None:
        """Bring the weights in, in the thread that computes, and start taking work."""
        self._budget = await self._runner.load(Device(device) if isinstance(device, str) else device)
        self._loop = asyncio.create_task(self._run(), name=f"engine {self.predictor.name}")

    async def close(self) -> None:
        """Stop taking work; what is in it raises `Transient`, since another worker will do it."""
        self._closed = True
        if self._loop is not None:
            self._loop.cancel()
        for work in self._open:
            if not work.done.done():
                work.done.set_exception(Transient(STOPPED))
        self._preparer.close()
        self._runner.close()

    async def compute(self, chunk: Chunk) -> list[Outcome]:
        """The outcomes of a chunk's items, in their order: ``{"out": …}`` or ``{"error": "…"}``.

        Raises `Transient` when the document can't be read right now, or when this engine is closed meanwhile.
        """
        if self._closed:
            raise Transient(STOPPED)
        if not chunk.items:
            return []
        work = Work(chunk)
        self._open.add(work)
        try:
            self.drop_unwanted()
            await self._begin(work)
            return await work.done
        finally:
            self._open.discard(work)

    def drop_unwanted(self) -> None:
        """Answer chunks that nobody waits for any more: what is in the batch that computes now is the last of them."""
        now = time.time()
        for work in self._open:
            if work.run in self._dropped:
                work.drop(ENDED)
            elif work.chunk.deadline is not None and work.chunk.deadline < now:
                work.drop(PAST_DEADLINE)

    async def _begin(self, work: Work) -> None:
        """Bring a chunk's items on their way: suspects one by one and alone, after the others."""
        verdict = verdict_of(self._quarantine.suspects, work.chunk)
        for place, reason in verdict.given_up.items():
            work.settle(place, ItemError(reason))
        if verdict.given_up:
            said = next(iter(verdict.given_up.values()))
            count = len(verdict.given_up)
            logger.warning("job %s: %d items of chunk %d are given up: %s", work.id.job, count, work.id.chunk, said)
        if verdict.usual:
            await self._enqueue(work, verdict.usual, alone=False)
        for place in verdict.alone:
            await self._enqueue(work, [place], alone=True)

    async def _enqueue(self, work: Work, places: Sequence[int], *, alone: bool) -> None:
        """Prepare items and let them wait for a batch; what fails is tried again, but for an ItemError."""
        for attempt in range(1, ATTEMPTS + 1):
            if work.ended:
                return
            prepared = await self._preparer.run(work, places, alone=alone)
            self._wait(entry for _, entry in prepared if isinstance(entry, Pending))
            failed = [(place, entry) for place, entry in prepared if isinstance(entry, Exception)]
            for place, error in failed:
                if isinstance(error, ItemError | Permanent) or attempt == ATTEMPTS:
                    work.settle(place, as_item_error(error))
            places = [place for place, error in failed if not isinstance(error, ItemError | Permanent)]
            if not places or attempt == ATTEMPTS:
                return
            await asyncio.sleep(retry_s(attempt))

    def _wait(self, entries: Iterable[Pending]) -> None:
        self._waiting.extend(entries)
        self._arrived.set()

    async def _run(self) -> None:
        turns = Turns()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            self._waiting = self._wanted(self._waiting)
            batch = turns.next(self._waiting, self._budget)
            if not batch:
                continue
            chosen = set(map(id, batch))
            self._waiting = [entry for entry in self._waiting if id(entry) not in chosen]
            fit = Fit()
            await self._compute(batch, fit)
            self._lower(fit.budget(self._budget))

    def _wanted(self, entries: Iterable[Pending]) -> list[Pending]:
        """Those that are to be computed still: asked whenever a batch is chosen, since they may have waited long."""
        self.drop_unwanted()
        return [entry for entry in entries if not entry.chunk.ended]

    def _lower(self, budget: int) -> None:
        if budget < self._budget:
            logger.warning("predictor %s: batches hold %d instead of %d now", self.predictor.name, budget, self._budget)
            self._budget = budget

    async def _compute(self, batch: Sequence[Pending], fit: Fit) -> None:
        """Compute a batch; one that fails is halved until the item that makes it fail is alone."""
        try:
            outcomes = await self._runner.run(batch)
        except Exception as error:
            failure = error  # and on outside of this block: each half's own failure is not a consequence of this one
        else:
            fit.fitted = max(fit.fitted, sum(entry.cost for entry in batch))
            self._settle(batch, outcomes)
            return
        if len(batch) == 1:
            fit.too_large_alone |= is_out_of_memory(failure)
            self._failed(batch[0], failure)
            return
        fit.too_large |= is_out_of_memory(failure)
        logger.info("a batch of %d failed and is halved: %r", len(batch), failure)
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            if wanted := self._wanted(half):
                await self._compute(wanted, fit)

    def _settle(self, batch: Sequence[Pending], outcomes: Sequence[BaseModel | ItemError]) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            try:
                entry.chunk.settle(entry.place, outcome, self._runner.out)
            except Exception as error:  # no model of its Out, or one that can't be JSON
                self._failed(entry, error)
        self.items += len(batch)

    def _failed(self, entry: Pending, error: Exception) -> None:
        if isinstance(error, ItemError):
            entry.chunk.settle(entry.place, error)
            return
        entry.attempts += 1
        if entry.attempts >= ATTEMPTS:
            entry.chunk.settle(entry.place, as_item_error(error))
            return
        news = _place(error) not in self._seen  # its traceback is logged once, and not for each item
        self._seen.add(_place(error))
        level = logging.WARNING if news else logging.DEBUG
        logger.log(level, "an item failed alone and is tried again: %r", error, exc_info=error if news else None)
        asyncio.get_running_loop().call_later(retry_s(entry.attempts), self._wait, [entry])


def _place(error: Exception) -> str:
    """Where an exception was raised, as text."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = frames[-1] if frames else None
    return f"{type(error).__name__} {frame.filename if frame else ''} {frame.lineno if frame else ''}"
