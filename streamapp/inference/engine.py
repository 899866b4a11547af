"""One predictor at work: prepares ahead, forms batches, computes, and finds the item that makes a batch fail.

There is no waiting for a batch to fill: when the model is free, it takes what is prepared. While it computes, the next
items are being prepared in another thread, so under load batches are full by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from streamapp.documents.claim import Blobs, ClaimedDocument
from streamapp.errors import Permanent, Transient
from streamapp.inference.batch import Pending, choose
from streamapp.models import Chunk
from streamapp.retry import delay_s
from streamapp.tasks.contract import ItemError, Predictor

__all__ = ["Engine", "Outcome"]

logger = logging.getLogger(__name__)

ATTEMPTS = 3  # at an item that fails alone, before it is taken to be bad
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 5.0
STOPPED = "this model worker stops"
PAST_DEADLINE = "the job's deadline passed before this item was computed"

Outcome = dict[str, Any]


class _Work:
    """A chunk on its way: its outcomes fill up, and `done` resolves when the last is there."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.outcomes: list[Outcome] = [{} for _ in chunk.items]
        self.left = len(chunk.items)
        self.done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, outcome: BaseModel | ItemError) -> None:
        """Note one item's outcome, once. Raises what an outcome raises that is none."""
        if isinstance(outcome, ItemError):
            self.outcomes[place] = {"error": str(outcome)}
        else:
            self.outcomes[place] = {"out": outcome.model_dump(mode="json")}
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(self.outcomes)


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
        self._open: set[_Work] = set()
        self._closed = False
        self._seen: set[str] = set()
        self._item_since: float | None = None  # when the preparing thread began with the item that it is at
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.items = 0
        self.seconds_busy = 0.0

    async def load(self, device: str) -> None:
        """Bring the weights in, in the thread that computes, and start taking work."""
        await asyncio.get_running_loop().run_in_executor(self._computing, self.predictor.load, device)
        self._loop = asyncio.create_task(self._run(), name=f"engine {self.predictor.name}")

    async def close(self) -> None:
        """Stop taking work; what is in it raises `Transient`, since another worker will do it."""
        self._closed = True
        if self._loop is not None:
            self._loop.cancel()
        for work in self._open:
            if not work.done.done():
                work.done.set_exception(Transient(STOPPED))
        self._preparing.shutdown(wait=False, cancel_futures=True)
        self._computing.shutdown(wait=False, cancel_futures=True)

    async def compute(self, chunk: Chunk) -> list[Outcome]:
        """The outcomes of a chunk's items, in their order: ``{"out": …}`` or ``{"error": "…"}``.

        Raises `Transient` when the document can't be read right now, or when this engine is closed meanwhile.
        """
        if self._closed:
            raise Transient(STOPPED)
        if not chunk.items:
            return []
        if chunk.deadline is not None and chunk.deadline < time.time():
            return [{"error": PAST_DEADLINE} for _ in chunk.items]
        work = _Work(chunk)
        self._open.add(work)
        try:
            await self._enqueue(work)
            return await work.done
        finally:
            self._open.discard(work)

    async def _enqueue(self, work: _Work) -> None:
        """Prepare a chunk's items and let them wait for a batch; what fails is tried again, but for an ItemError."""
        places: Sequence[int] = range(len(work.chunk.items))
        for attempt in range(1, ATTEMPTS + 1):
            prepared = await self._prepared(work, places)
            self._waiting.extend(entry for _, entry in prepared if isinstance(entry, Pending))
            self._arrived.set()
            failed = [(place, entry) for place, entry in prepared if isinstance(entry, Exception)]
            for place, error in failed:
                if isinstance(error, ItemError | Permanent) or attempt == ATTEMPTS:
                    work.settle(place, _as_item_error(error))
            places = [place for place, error in failed if not isinstance(error, ItemError | Permanent)]
            if not places or attempt == ATTEMPTS:
                return
            await asyncio.sleep(delay_s(attempt, first_s=FIRST_RETRY_S, longest_s=LONGEST_RETRY_S))

    async def _prepared(self, work: _Work, places: Sequence[int]) -> list[tuple[int, Pending | Exception]]:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._preparing, self._prepare, work, places)
        except RuntimeError as error:  # the pool was shut down
            raise Transient(STOPPED) from error
        while not (await asyncio.wait({future}, timeout=self.predictor.timeout_s))[0]:
            since = self._item_since
            if since is not None and time.monotonic() - since > self.predictor.timeout_s:
                self._hung(f"prepare of predictor {self.predictor.name} did not end within its time")
        if future.cancelled():
            raise Transient(STOPPED)
        return future.result()

    def _prepare(self, work: _Work, places: Sequence[int]) -> list[tuple[int, Pending | Exception]]:
        chunk = work.chunk
        document = self._blobs.claim(chunk.document, chunk.media_type, chunk.size)
        prepared: list[tuple[int, Pending | Exception]] = []
        try:
            for place in places:
                self._item_since = time.monotonic()
                prepared.append((place, self._prepare_one(work, place, document)))
        finally:
            self._item_since = None
        return prepared

    def _prepare_one(self, work: _Work, place: int, document: ClaimedDocument) -> Pending | Exception:
        try:
            ready = self.predictor.prepare(self._item.model_validate(work.chunk.items[place]), document)
            return Pending(ready, int(self.predictor.cost(ready)), work, place)
        except Transient:
            raise  # the document can't be read right now: nor for the other items
        except Exception as error:
            if not isinstance(error, ItemError | Permanent):
                logger.exception("prepare raised")
            return error

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
            failure = error  # and on outside of this block: each half's own failure is not a consequence of this one
        else:
            self._settle(batch, outcomes)
            return
        if len(batch) == 1:
            self._failed(batch[0], failure)
            return
        logger.info("a batch of %d failed and is halved: %r", len(batch), failure)
        middle = len(batch) // 2
        await self._compute(batch[:middle])
        await self._compute(batch[middle:])

    def _settle(self, batch: Sequence[Pending], outcomes: Sequence[BaseModel | ItemError]) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            try:
                entry.chunk.settle(entry.place, outcome)
            except Exception as error:  # no pydantic model, or one that can't be JSON
                self._failed(entry, error)
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
            entry.chunk.settle(entry.place, _as_item_error(error))
            return
        news = _place(error) not in self._seen  # its traceback is logged once, and not for each item
        self._seen.add(_place(error))
        level = logging.WARNING if news else logging.DEBUG
        logger.log(level, "an item failed alone and is tried again: %r", error, exc_info=error if news else None)
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s(entry.attempts, first_s=FIRST_RETRY_S, longest_s=LONGEST_RETRY_S), self._again, entry)

    def _again(self, entry: Pending) -> None:
        self._waiting.append(entry)
        self._arrived.set()


def _place(error: Exception) -> str:
    """Where an exception was raised, as text."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = frames[-1] if frames else None
    return f"{type(error).__name__} {frame.filename if frame else ''} {frame.lineno if frame else ''}"


def _as_item_error(error: Exception) -> ItemError:
    """What an item's last failure says about it."""
    if isinstance(error, ItemError):
        return error
    if isinstance(error, Permanent):
        return ItemError(str(error))
    return ItemError(f"it failed {ATTEMPTS} times, the last time with {type(error).__name__}: {error}")
