"""A task whose predictor takes its time for each batch, and notes in the file `computed` of the folder COUNTING what it
begins with: a line a batch, in which each item is a character.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from streamapp.tasks import Document, ItemError, Report, Result
from streamapp.tasks.echo import Echo, EchoParams, EchoPredictor, EchoStep, Piece

SECONDS = 0.75  # for a batch, whatever it holds


class CountingPredictor(EchoPredictor):
    """A quarter of a full chunk at a time."""

    name: ClassVar[str] = "counting"
    budget: ClassVar[int] = 16

    def predict(self, batch: Sequence[str]) -> Sequence[Piece | ItemError]:
        """The characters, after a while."""
        with (Path(os.environ["COUNTING"]) / "computed").open("a") as computed:
            computed.write("".join(batch) + "\n")
        time.sleep(SECONDS)
        return super().predict(batch)


class CountingStep(EchoStep):
    """Characters, and characters again."""

    predictors: Sequence[type[Any]] = (CountingPredictor,)

    def split(self, source: Document, params: EchoParams) -> Iterator[Piece]:
        """Each of the text's characters."""
        with source.open() as file:
            for character in file.read().decode():
                yield Piece(text=character)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """The text."""
        return Report(subject="Counted", text="".join(result.of(CountingPredictor).text for result in results))


class Counting(Echo):
    """Says what is computed."""

    name: ClassVar[str] = "counting"
    steps: ClassVar[Sequence[Any]] = (CountingStep(),)
