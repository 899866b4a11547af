"""From a book to what goes over Kafka: every sentence with its chapter, a long text without chapters cut into parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from streamapp.errors import BadDocument
from streamapp.tasks.reading.chapters import Book, Chapter, read_book
from streamapp.tasks.reading.sentences import sentences
from streamapp.tasks.reading.wire import Sentence

__all__ = ["items"]

SHORT: Final = 150
"""Sentences up to which a text without chapters stays in one piece."""
PART: Final = 75
"""Sentences of a part, about, when it does not."""
MOST_PARTS: Final = 12
LONGEST_TITLE: Final = 120

Split = list[tuple[str, bool]]


def items(text: str | Book) -> Iterator[Sentence]:
    """The sentences of a cleaned text, or of a book, in its order. Raises `BadDocument` where there is none."""
    book = read_book(text) if isinstance(text, str) else text
    chapters = [(chapter.heading, _split(chapter)) for chapter in book.chapters]
    chapters = [(heading, found) for heading, found in chapters if found]
    if len(chapters) == 1 and not chapters[0][0] and len(chapters[0][1]) > SHORT:
        chapters = [(f"Part {number}", part) for number, part in enumerate(_parts(chapters[0][1]), start=1)]
    if not chapters:
        raise BadDocument("There is no sentence in this document: it holds no letters, or nothing but headings.")
    return chain.from_iterable(_of_chapter(book, number, *chapter) for number, chapter in enumerate(chapters))


def _split(chapter: Chapter) -> Split:
    return [found for paragraph in chapter.paragraphs for found in sentences(paragraph)]


def _parts(found: Split) -> Iterator[Split]:
    count = min(MOST_PARTS, max(2, round(len(found) / PART)))
    for part in range(count):
        yield found[part * len(found) // count : (part + 1) * len(found) // count]


def _of_chapter(book: Book, number: int, heading: str, found: Sequence[tuple[str, bool]]) -> Iterator[Sentence]:
    for place, (text, whole) in enumerate(found):
        yield Sentence(
            text=text,
            chapter=number,
            whole=whole,
            heading="" if place else heading[:LONGEST_TITLE],
            title="" if place or number else book.title[:LONGEST_TITLE],
        )
