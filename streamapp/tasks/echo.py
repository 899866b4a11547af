"""The task `echo`: the whole way from the document to the mail with no model, for tests and benchmarks."""

from __future__ import annotations

import codecs
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


READ = 64 * 1024
TITLE = 60  # characters of the text in the report's subject


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
        rest, empty = "", True
        for text in _texts(source):
            rest, empty = rest + text, False
            whole = len(rest) - len(rest) % params.chunk
            for start in range(0, whole, params.chunk):
                yield Piece(text=rest[start : start + params.chunk])
            rest = rest[whole:]
        if empty:
            raise BadDocument("The document is empty.")
        if rest:
            yield Piece(text=rest)

    def reduce(self, results: Iterable[Result[Piece]], params: EchoParams) -> Report:
        """A report with the text as it came."""
        texts = [result.of(EchoPredictor).text for result in results]
        text = "".join(texts)
        words = " ".join(text[:200].split())
        begins = words if len(words) <= TITLE else words[: TITLE - 1].rstrip() + "…"
        return Report(
            subject=f"Echo of {begins or 'blank text'}", text=text, data={"characters": len(text), "items": len(texts)}
        )


def _texts(source: Document) -> Iterator[str]:
    """The text, some at a time: it may be longer than memory. Raises `BadDocument`."""
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    with source.open() as file:
        while piece := file.read(READ):
            kept = len(decoder.getstate()[0])
            yield from _decoded(decoder, piece, before - kept)
            before += len(piece)
        yield from _decoded(decoder, b"", before - len(decoder.getstate()[0]))


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes, at: int) -> Iterator[str]:
    try:
        text = decoder.decode(piece, not piece)
    except UnicodeDecodeError as error:
        raise BadDocument(f"The text is not UTF-8: byte {at + error.start} can't be read.") from error
    if text:
        yield text


class Echo(Task):
    """Gives back the text as it came; to see that everything runs."""

    name: ClassVar[str] = "echo"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    largest: ClassVar[int | None] = 64 * 1024 * 1024  # its items, its results and its report are all of the text
    params: ClassVar[type[BaseModel]] = EchoParams
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (EchoStep(),)
