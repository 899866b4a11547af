"""A task whose predictor waits instead of computing: what limits then is how well work spreads over model workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from streamapp.tasks import Document, ItemError, Params, Predictor, Report, Result, Step, Task

__all__ = ["WAIT_S", "Wait"]

WAIT_S = float(os.environ.get("BENCH_WAIT_S", "0.1"))


class Nothing(BaseModel):
    """An item, and what comes of it."""


class Waiter(Predictor[Nothing, None, Nothing]):
    """Waits for each batch, which is one item."""

    name: ClassVar[str] = "wait"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 1

    def prepare(self, item: Nothing, document: Document) -> None:
        """Nothing."""

    def cost(self, ready: None) -> int:
        """One."""
        return 1

    def predict(self, batch: Sequence[None]) -> Sequence[Nothing | ItemError]:
        """Wait as long as a GPU would compute elsewhere."""
        threading.Event().wait(WAIT_S)
        return [Nothing() for _ in batch]


class WaitStep(Step[Document, Nothing, Report, Params]):
    """One item a job."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (Waiter,)

    def split(self, source: Document, params: Params) -> Iterator[Nothing]:
        """One item."""
        yield Nothing()

    def reduce(self, results: Iterable[Result[Nothing]], params: Params) -> Report:
        """A report that says how many there were."""
        count = sum(1 for _ in results)
        return Report(subject="Waited", text=f"{count} items.")


class Wait(Task):
    """Waits."""

    name: ClassVar[str] = "wait"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Params
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (WaitStep(),)
