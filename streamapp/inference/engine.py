"""One predictor at work: prepares ahead, forms batches, computes, and finds the item that makes a batch fail.

There is no waiting for a batch to fill: when the model is free, it takes what is prepared. While it computes, the next
items are being prepared in another thread, so under load batches are full by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from streamapp.documents.claim import Blobs
from streamapp.inference.batch import Pending, choose
from streamapp.models import Chunk
from streamapp.retry import delay_s
from streamapp.tasks.contract import ItemError, Predictor

__all__ = ["Engine"]

logger = logging.getLogger(__name__)

ATTEMPTS = 3  # at an item that fails alone, before it is taken to be bad
PAST_DEADLINE = "the job's deadline passed before this item was computed"

Outcome = dict[str, Any]


class _Work:
    """A chunk on its way: its outcomes fill up, and `done` resolves when the last is there."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.outcomes: list[Outcome | None] = [None] * len(chunk.items)
        self.done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, outcome: BaseModel | ItemError) -> None:
        if isinstance(outcome, ItemError):
            self.outcomes[place] = {"error": str(outcome)}
        else:
            self.outcomes[place] = {"out": outcome.model_dump(mode="json")}
        filled = [entry for entry in self.outcomes if entry is not None]
        if len(filled) == len(self.outcomes) and not self.done.done():
            self.done.set_result(filled)


class Engine:
    """Runs `predictor` on chunks. `item` is the type of its items; `hung` is called when `predict` takes too long."""

    def __init__(
        self, predictor: Predictor[Any, Any, Any], item: type[BaseModel], blobs: Blobs, hung: Callable[[str], None]
    ) -> None:
        self.predictor = predictor
        self._item = item
        self._blobs = blobs
        self._hung = hung
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix=f"prepare-{predictor.name}")
        self._computing = ThreadPoolExecutor(1, thread_name_prefix=f"predict-{predictor.name}")
        self._waiting: list[Pending] = []
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.items = 0
        self.seconds_busy = 0.0

    async def load(self, device: str) -> None:
        """Bring the weights in, in the thread that computes, and start taking work."""
        await asyncio.get_running_loop().run_in_executor(self._computing, self.predictor.load, device)
        self._loop = asyncio.create_task(self._run(), name=f"engine {self.predictor.name}")

    async def close(self) -> None:
        """Stop taking work."""
        if self._loop is not None:
            self._loop.cancel()
        self._preparing.shutdown(wait=False, cancel_futures=True)
        self._computing.shutdown(wait=False, cancel_futures=True)

    async def compute(self, chunk: Chunk) -> list[Outcome]:
        """The outcomes of a chunk's items, in their order: ``{"out": …}`` or ``{"error": "…"}``."""
        work = _Work(chunk)
        if not chunk.items:
            return []
        if chunk.deadline is not None and chunk.deadline < time.time():
            return [{"error": PAST_DEADLINE} for _ in chunk.items]
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(self._preparing, self._prepare, work)
        for place, entry in enumerate(prepared):
            if isinstance(entry, ItemError):
                work.settle(place, entry)
            else:
                self._waiting.append(entry)
        self._arrived.set()
        return await work.done

    def _prepare(self, work: _Work) -> list[Pending | ItemError]:
        chunk = work.chunk
        document = self._blobs.claim(chunk.document, chunk.media_type, chunk.size)
        prepared: list[Pending | ItemError] = []
        for place, fields in enumerate(chunk.items):
            try:
                ready = self.predictor.prepare(self._item.model_validate(fields), document)
                prepared.append(Pending(ready, self.predictor.cost(ready), work, place))
            except ItemError as error:
                prepared.append(error)
            except Exception as error:
                logger.exception("prepare raised; the item is taken to be bad")
                prepared.append(ItemError(f"it can't be prepared: {type(error).__name__}: {error}"))
        return prepared

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            batch = choose(self._waiting, self.predictor.budget)
            chosen = set(map(id, batch))
            self._waiting = [entry for entry in self._waiting if id(entry) not in chosen]
            await self._compute(batch)

    async def _compute(self, batch: Sequence[Pending]) -> None:
        """Compute a batch; one that fails is halved until the item that makes it fail is alone."""
        try:
            outcomes = await self._predict([entry.ready for entry in batch])
        except Exception as error:
            if len(batch) > 1:
                logger.warning("a batch of %d failed and is halved: %r", len(batch), error)
                middle = len(batch) // 2
                await self._compute(batch[:middle])
                await self._compute(batch[middle:])
            else:
                self._failed(batch[0], error)
            return
        for entry, outcome in zip(batch, outcomes, strict=True):
            entry.chunk.settle(entry.place, outcome)
        self.items += len(batch)

    async def _predict(self, readies: list[Any]) -> Sequence[BaseModel | ItemError]:
        started = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self._computing, self.predictor.predict, readies)
        done, _ = await asyncio.wait({future}, timeout=self.predictor.timeout_s)
        if not done:
            self._hung(f"predictor {self.predictor.name} did not end within its {self.predictor.timeout_s:.0f} s")
        outcomes: Sequence[BaseModel | ItemError] = await future
        self.seconds_busy += time.monotonic() - started
        if len(outcomes) != len(readies):
            raise ValueError(f"predict gave {len(outcomes)} outcomes for {len(readies)} items")
        return outcomes

    def _failed(self, entry: Pending, error: Exception) -> None:
        if isinstance(error, ItemError):
            entry.chunk.settle(entry.place, error)
            return
        entry.attempts += 1
        if entry.attempts >= ATTEMPTS:
            reason = f"it failed {ATTEMPTS} times, the last time with {type(error).__name__}: {error}"
            entry.chunk.settle(entry.place, ItemError(reason))
            return
        logger.warning("an item failed alone and is tried again: %r", error)
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s(entry.attempts, first_s=0.5, longest_s=5.0), self._again, entry)

    def _again(self, entry: Pending) -> None:
        self._waiting.append(entry)
        self._arrived.set()
