"""A task for `tools.forecasts`, whose predictor waits instead of computing: so long for each line of a text.

Documents differ in what their lines take, as books do in the length of their sentences.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from streamapp.tasks import Document, ItemError, Params, Predictor, Report, Result, Step, Task

__all__ = ["Lines"]

LINE_S = 1 / 300
BATCH_S = 0.01  # for each, whatever it holds
DIFFERENT = 0.25  # as a share, in both directions


class Line(BaseModel):
    """An item, and what comes of it: the seconds that it takes."""

    seconds: float


class LineWaiter(Predictor[Line, float, Line]):
    """Waits as long as a GPU would compute elsewhere."""

    name: ClassVar[str] = "lines"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 64
    remember: ClassVar[bool] = False

    def prepare(self, item: Line, document: Document) -> float:
        """Its seconds."""
        return item.seconds

    def cost(self, ready: float) -> int:
        """One."""
        return 1

    def predict(self, batch: Sequence[float]) -> Sequence[Line | ItemError]:
        """Wait for all of them."""
        threading.Event().wait(BATCH_S + sum(batch))
        return [Line(seconds=seconds) for seconds in batch]


class LinesStep(Step[Document, Line, Report, Params]):
    """An item a line."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (LineWaiter,)

    def split(self, source: Document, params: Params) -> Iterator[Line]:
        """The lines; how long each takes follows from the first."""
        with source.open() as file:
            lines = file.read().splitlines()
        share = zlib.crc32(lines[0]) / 2**32
        for _ in lines:
            yield Line(seconds=LINE_S * (1 - DIFFERENT + 2 * DIFFERENT * share))

    def reduce(self, results: Iterable[Result[Line]], params: Params) -> Report:
        """How many there were."""
        return Report(subject="Waited", text=f"{sum(1 for _ in results)} lines.")


class Lines(Task):
    """Waits for each line of a text."""

    name: ClassVar[str] = "lines"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Params
    remember: ClassVar[bool] = False
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (LinesStep(),)
