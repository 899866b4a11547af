"""Computing one batch, in a thread of its own: bounded in time, and written down for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from streamapp.allocator import give_back_now, keep
from streamapp.inference.batch import Pending
from streamapp.inference.devices import Device, is_out_of_memory
from streamapp.inference.given import outcomes_of
from streamapp.inference.quarantine import Quarantine
from streamapp.tasks.complete import checked_budget
from streamapp.tasks.contract import ItemError, Predictor
from streamapp.tasks.registry import out_type

__all__ = ["Runner"]

logger = logging.getLogger(__name__)

Outcomes = Sequence[BaseModel | ItemError]


class Runner:
    """One predictor's `predict`, which gives models of the class `out`.

    `leave` is called, with a reason, when it takes too long or has broken the device.
    """

    def __init__(
        self, predictor: Predictor[Any, Any, Any], leave: Callable[[str], None], quarantine: Quarantine
    ) -> None:
        self._predictor = predictor
        self.out = out_type(type(predictor))
        self._leave = leave
        self._quarantine = quarantine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"predict-{predictor.name}")
        self._device = Device("cpu")
        self.seconds_busy = 0.0

    async def load(self, device: Device) -> int:
        """Bring the weights in, in the thread that computes. Returns the budget of a batch on that device.

        Raises `ConfigurationError` where the predictor gives no budget.
        """
        self._device = device
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, batch: Sequence[Pending]) -> Outcomes:
        """As many outcomes as items. Raises what `predict` raises, and `TaskFailed` for what is no list of so many."""
        async with self._quarantine.room.hold(alone=batch[0].alone):
            started = time.monotonic()
            future = asyncio.get_running_loop().run_in_executor(self._thread, self._predict, batch)
            done, _ = await asyncio.wait({future}, timeout=self._predictor.timeout_s)
            if not done:
                limit = self._predictor.timeout_s
                self._leave(f"predictor {self._predictor.name} did not end within its {limit:.0f} s")
            given = await future
            self.seconds_busy += time.monotonic() - started
        return outcomes_of(self._predictor.name, given, len(batch), self.out)

    def _load(self) -> int:
        self._predictor.load(self._device.name)
        give_back_now()
        keep()
        return checked_budget(self._predictor, self._predictor.budget_loaded())

    def _predict(self, batch: Sequence[Pending]) -> Outcomes:
        with self._quarantine.journal.at_work((entry.chunk.id, entry.place) for entry in batch):
            try:
                return self._predictor.predict([entry.ready for entry in batch])
            except Exception as error:
                self._look_at(error)
                raise

    def _look_at(self, error: Exception) -> None:
        """What a failure means for the device: caches to free, or no other batch that will ever succeed on it."""
        if is_out_of_memory(error):
            self._device.free(error)
        elif not isinstance(error, ItemError) and not self._device.works():
            self._leave(f"device {self._device.name} is broken since {type(error).__name__}: {str(error)[:200]}")
