"""Preparing items ahead of time, in a thread beside the one that computes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from streamapp.documents.claim import Blobs, ClaimedDocument
from streamapp.errors import Permanent, Transient
from streamapp.inference.batch import Pending
from streamapp.inference.quarantine import Quarantine
from streamapp.inference.work import Work
from streamapp.tasks.contract import ItemError, Predictor

__all__ = ["STOPPED", "Prepared", "Preparer"]

logger = logging.getLogger(__name__)

STOPPED = "this model worker stops"

Prepared = tuple[int, Pending | Exception]


class Preparer:
    """One predictor's `prepare`. `leave` is called, with a reason, when it takes too long for an item."""

    def __init__(
        self,
        predictor: Predictor[Any, Any, Any],
        item: type[BaseModel],
        blobs: Blobs,
        leave: Callable[[str], None],
        quarantine: Quarantine,
    ) -> None:
        self._predictor = predictor
        self._item = item
        self._blobs = blobs
        self._leave = leave
        self._quarantine = quarantine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"prepare-{predictor.name}")
        self._item_since: float | None = None  # when the thread began with the item that it is at

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Work, places: Sequence[int], *, alone: bool) -> list[Prepared]:
        """Each place's item, ready for a batch, or why it is not. Raises `Transient` when the document can't be read
        right now, or when this is closed.
        """
        async with self._quarantine.room.hold(alone=alone):
            try:
                loop = asyncio.get_running_loop()
                future = loop.run_in_executor(self._thread, self._prepare, work, places, alone)
            except RuntimeError as error:  # it was shut down
                raise Transient(STOPPED) from error
            while not (await asyncio.wait({future}, timeout=self._predictor.timeout_s))[0]:
                since = self._item_since
                if since is not None and time.monotonic() - since > self._predictor.timeout_s:
                    self._leave(f"prepare of predictor {self._predictor.name} did not end within its time")
            if future.cancelled():
                raise Transient(STOPPED)
            return future.result()

    def _prepare(self, work: Work, places: Sequence[int], alone: bool) -> list[Prepared]:
        chunk = work.chunk
        document = self._blobs.claim(chunk.document, chunk.media_type, chunk.size)
        prepared: list[Prepared] = []
        with self._quarantine.journal.at_work([(work.id, place) for place in places]):
            try:
                for place in places:
                    if work.ended:  # it was dropped meanwhile
                        break
                    self._item_since = time.monotonic()
                    prepared.append((place, self._prepare_one(work, place, document, alone)))
            finally:
                self._item_since = None
        return prepared

    def _prepare_one(self, work: Work, place: int, document: ClaimedDocument, alone: bool) -> Pending | Exception:
        try:
            ready = self._predictor.prepare(self._item.model_validate(work.chunk.items[place]), document)
            return Pending(ready, int(self._predictor.cost(ready)), work, place, len(work.chunk.items), alone)
        except Transient:
            raise  # the document can't be read right now: nor for the other items
        except Exception as error:
            if not isinstance(error, ItemError | Permanent):
                logger.exception("prepare raised")
            return error
