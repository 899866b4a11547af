"""A task whose predictor says when it has begun and computes until it is let go: two files in the folder WAITING.

While there is a file `no-load`, it does not end loading either, and says so by a file `loads`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from streamapp.tasks import ItemError, Report, Result
from streamapp.tasks.echo import Echo, EchoParams, EchoPredictor, EchoStep, Piece


class WaitingPredictor(EchoPredictor):
    """Stands where a model computes for long."""

    name: ClassVar[str] = "waiting"

    def load(self, device: str) -> None:
        """Load for as long as there is a file `no-load`."""
        folder = Path(os.environ["WAITING"])
        while (folder / "no-load").exists():
            (folder / "loads").touch()
            time.sleep(0.05)

    def predict(self, batch: Sequence[str]) -> Sequence[Piece | ItemError]:
        """Begin, and end once there is a file `go`."""
        folder = Path(os.environ["WAITING"])
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.05)
        return super().predict(batch)


class WaitingStep(EchoStep):
    """As `echo`."""

    predictors = (WaitingPredictor,)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """The text again."""
        text = "".join(result.of(WaitingPredictor).text for result in results)
        return Report(subject="Waited", text=text)


class Waiting(Echo):
    """Waits."""

    name: ClassVar[str] = "waiting"
    steps: ClassVar[Sequence[Any]] = (WaitingStep(),)
