"""A task that gives back the chapters it was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from streamapp.tasks import BOOK_FILES, Document, book_of
from streamapp.tasks.echo import Echo, EchoParams, EchoStep, Piece


class ReadingStep(EchoStep):
    """An item for each chapter."""

    def split(self, source: Document, params: EchoParams) -> Iterator[Piece]:
        """Heading and paragraphs of a book, or the text."""
        book = book_of(source)
        if book is None:
            yield from super().split(source, params)
        for chapter in book.chapters if book else ():
            yield Piece(text=f"[{chapter.heading}] {' '.join(chapter.paragraphs)} ")


class Reading(Echo):
    """Takes books."""

    name: ClassVar[str] = "reading"
    accepts: ClassVar[Sequence[str]] = ("text/plain", *BOOK_FILES)
    books: ClassVar[bool] = True
    steps: ClassVar[Sequence[Any]] = (ReadingStep(),)
