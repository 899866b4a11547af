"""A task as `echo`, whose results are remembered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from streamapp.tasks import Plot, Report, Result
from streamapp.tasks.echo import Echo, EchoParams, EchoPredictor, EchoStep, Piece


class RememberedPredictor(EchoPredictor):
    """Reads no document."""

    name: ClassVar[str] = "remembered"
    remember: ClassVar[bool] = True
    reads_document: ClassVar[bool] = False


class RememberedStep(EchoStep):
    """With a plot."""

    predictors: Sequence[type[Any]] = (RememberedPredictor,)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """The text in capitals, so that a copy of the document would not pass for it."""
        text = "".join(result.of(RememberedPredictor).text for result in results).upper()
        return Report(subject="Remembered", text=text, plot=Plot(png=b"\x89PNG\r\n\x1a\n" + b"\0" * 64, alt="Nothing"))


class Remembered(Echo):
    """Known again."""

    name: ClassVar[str] = "remembered"
    steps: ClassVar[Sequence[Any]] = (RememberedStep(),)
