"""A task that a test steers by files in the folder STEERED: each word of the text is an item, and each is noted.

The predictor waits at a word while there is a file of its name, and takes `slow` seconds for each if there is a file
`slow` that says so. What it computed stands in the file `computed`, a word a line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from streamapp.tasks import Document, ItemError, Report, Result
from streamapp.tasks.echo import Echo, EchoParams, EchoPredictor, EchoStep, Piece


class SteeredPredictor(EchoPredictor):
    """One word at a time."""

    name: ClassVar[str] = "steered"
    budget: ClassVar[int] = 1

    def predict(self, batch: Sequence[str]) -> Sequence[Piece | ItemError]:
        """The words, once the test lets them go."""
        folder = Path(os.environ["STEERED"])
        for word in batch:
            with (folder / "begun").open("a") as begun:
                begun.write(f"{os.getpid()} {word}\n")
            while (folder / word).exists():
                time.sleep(0.02)
            slow = folder / "slow"
            time.sleep(float(slow.read_text()) if slow.exists() else 0.0)
            with (folder / "computed").open("a") as computed:
                computed.write(f"{word}\n")
        return super().predict(batch)


class SteeredStep(EchoStep):
    """Words, and words again."""

    predictors: Sequence[type[Any]] = (SteeredPredictor,)

    def split(self, source: Document, params: EchoParams) -> Iterator[Piece]:
        """The text's words."""
        with source.open() as file:
            for word in file.read().decode().split():
                yield Piece(text=word)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """The words in their order."""
        return Report(subject="Steered", text=" ".join(result.of(SteeredPredictor).text for result in results))


class Steered(Echo):
    """Follows files."""

    name: ClassVar[str] = "steered"
    steps: ClassVar[Sequence[Any]] = (SteeredStep(),)
