"""The steered task with a partial report: the words so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from streamapp.tasks import Report, Result
from streamapp.tasks.echo import EchoParams, Piece
from tests.integration.steered_task import Steered, SteeredPredictor, SteeredStep


class TellingStep(SteeredStep):
    """Tells of each two words that are through."""

    def partial(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report | None:
        """The words in their order, an even number of them."""
        words = [result.of(SteeredPredictor).text for result in results]
        even = words[: len(words) // 2 * 2]
        return Report(subject="So far", text=" ".join(even)) if even else None


class Telling(Steered):
    """Follows files, and tells how far it is."""

    name: ClassVar[str] = "telling"
    steps: ClassVar[Sequence[Any]] = (TellingStep(),)
