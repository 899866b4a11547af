"""A task with an item a line; some words in a line break the predictor, as a model can, and each breaks it each time.

It writes each batch it begins to the file `batches` in the folder BREAKING, so that a test can see what was together.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from streamapp.tasks import Document, ItemError, Report, Result
from streamapp.tasks.echo import Echo, EchoParams, EchoPredictor, EchoStep, Piece

TIMEOUT_S, PLUG_S = 6.0, 4.5


class BreakingPredictor(EchoPredictor):
    """`kill`, `hang` and `raise` do so in predict, `hang-prepare` in prepare.

    `plug-… N` computes until N more items are prepared (but not for ever), so that these make one batch.
    """

    name: ClassVar[str] = "breaking"
    timeout_s: ClassVar[float] = TIMEOUT_S
    prepared: ClassVar[int] = 0

    def load(self, device: str) -> None:
        """Die while there is a file `broken`, raise while there is one `missing`."""
        if (Path(os.environ["BREAKING"]) / "missing").exists():
            raise FileNotFoundError("weights.bin is not there")
        if (Path(os.environ["BREAKING"]) / "broken").exists():
            os.abort()

    def prepare(self, item: Piece, document: Document) -> str:
        """The line, unless it breaks."""
        if "hang-prepare" in item.text.split():
            threading.Event().wait()
        type(self).prepared += 1
        return item.text

    def predict(self, batch: Sequence[str]) -> Sequence[Piece | ItemError]:
        """The lines, unless one breaks."""
        with (Path(os.environ["BREAKING"]) / "batches").open("a") as file:
            file.write(json.dumps(batch) + "\n")
        for line in batch:
            self._meet(line)
        return super().predict(batch)

    def _meet(self, line: str) -> None:
        words = line.split()
        if line.startswith("plug-"):
            wanted, end = self.prepared + int(words[-1]), time.monotonic() + PLUG_S
            while self.prepared < wanted and time.monotonic() < end:
                time.sleep(0.01)
        elif "kill" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        elif "hang" in words:
            threading.Event().wait()
        elif "raise" in words:
            raise LookupError("there is no such thing")


class BreakingParams(EchoParams):
    """How to take a bad item."""

    tolerant: bool = Field(default=False, description="Go on without it.")


class BreakingStep(EchoStep):
    """An item a line."""

    predictors = (BreakingPredictor,)

    def split(self, source: Document, params: EchoParams) -> Iterator[Piece]:
        """The lines."""
        with source.open() as file:
            for line in file.read().decode().splitlines():
                yield Piece(text=line)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """The lines again; with `tolerant` a bad one's reason stands in its place."""
        assert isinstance(params, BreakingParams)
        lines = []
        for result in results:
            try:
                lines.append(result.of(BreakingPredictor).text)
            except ItemError as error:
                if not params.tolerant:
                    raise
                lines.append(f"[{error}]")
        return Report(subject="Done", text="\n".join(lines))


class Breaking(Echo):
    """Breaks."""

    name: ClassVar[str] = "breaking"
    params = BreakingParams
    steps: ClassVar[Sequence[Any]] = (BreakingStep(),)
