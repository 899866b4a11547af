"""The task `echo`: the whole way from the document to the mail with no model, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from streamapp.errors import BadDocument
from streamapp.tasks.contract import (
    Document,
    ItemError,
    Params,
    Predictor,
    Report,
    Result,
    Step,
    Task,
)

__all__ = ["Echo", "EchoParams", "EchoPredictor", "EchoStep", "Piece"]


class EchoParams(Params):
    """How to cut the text."""

    chunk: int = Field(default=1000, ge=1, le=10_000, description="Characters of an item at most.")


class Piece(BaseModel):
    """A part of the text, as an item and as an outcome."""

    text: str


class EchoPredictor(Predictor[Piece, str, Piece]):
    """Gives back what it gets. Cost and budget are in characters."""

    name: ClassVar[str] = "echo"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 64_000
    remember: ClassVar[bool] = False  # it costs nothing, and tests and benchmarks mean the whole way each time

    def prepare(self, item: Piece, document: Document) -> str:
        """The text."""
        return item.text

    def cost(self, ready: str) -> int:
        """Characters."""
        return len(ready)

    def predict(self, batch: Sequence[str]) -> Sequence[Piece | ItemError]:
        """The texts."""
        return [Piece(text=text) for text in batch]


class EchoStep(Step[Document, Piece, Report, EchoParams]):
    """Cut, and put together again."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (EchoPredictor,)

    def split(self, source: Document, params: EchoParams) -> Iterator[Piece]:
        """Pieces of equal length, but the last. Raises `BadDocument` where the text is empty or not UTF-8."""
        with source.open() as file:
            try:
                text = file.read().decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadDocument(f"The text is not UTF-8: byte {error.start} can't be read.") from error
        if not text:
            raise BadDocument("The document is empty.")
        for start in range(0, len(text), params.chunk):
            yield Piece(text=text[start : start + params.chunk])

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """A report with the text as it came."""
        texts = [result.of(EchoPredictor).text for result in results]
        text = "".join(texts)
        subject = "Echo of " + (" ".join(text[:200].split())[:60] or "blank text")
        return Report(subject=subject, text=text, data={"characters": len(text), "items": len(texts)})


class Echo(Task):
    """Gives back the text as it came; to see that everything runs."""

    name: ClassVar[str] = "echo"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = EchoParams
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (EchoStep(),)
