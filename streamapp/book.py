"""A book as tasks get it: chapters with their headings and paragraphs, whatever kind of file it came in.

What decoded it and the task that reads it are kept apart, so it crosses between them as text, of the type `BOOK_TYPE`:
a small part of Markdown, that a task may as well read as plain text. Each line that is not blank is a paragraph or a
heading: ``# `` begins the title, ``## `` a chapter, and a backslash stands before a paragraph that would look like one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["BOOK_FILES", "BOOK_TYPE", "Book", "Chapter", "dump_book", "load_book"]

BOOK_FILES = (
    "text/markdown",
    "text/html",
    "application/xhtml+xml",
    "application/epub+zip",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
)
"""The media types of the files that are decoded to books: Markdown, HTML, EPUB, PDF and DOCX."""

BOOK_TYPE = "text/vnd.streamapp.book"
TITLE, CHAPTER, ESCAPE = "# ", "## ", "\\"


@dataclass(slots=True)
class Chapter:
    """A heading, empty where the text has none, and paragraphs with white space folded."""

    heading: str
    paragraphs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Book:
    """The title, empty where none was found, and chapters that each have at least one paragraph."""

    title: str
    chapters: list[Chapter]


def dump_book(book: Book) -> str:
    """The book as text of the type `BOOK_TYPE`."""
    return "\n\n".join(_lines(book)) + "\n"


def load_book(text: str) -> Book:
    """The book that `dump_book` wrote. What comes before the first chapter's line is a chapter without a heading."""
    title, chapters = "", [Chapter("")]
    for line in text.split("\n"):
        mark, _, rest = line.partition(" ")
        if mark == "##":
            chapters.append(Chapter(rest))
        elif mark == "#":
            title = rest
        elif line:
            chapters[-1].paragraphs.append(line.removeprefix(ESCAPE))
    return Book(title, chapters if chapters[0].paragraphs else chapters[1:])


def _lines(book: Book) -> Iterator[str]:
    if book.title:
        yield TITLE + _folded(book.title)
    for chapter in book.chapters:
        yield CHAPTER + _folded(chapter.heading)
        yield from _paragraphs(chapter.paragraphs)


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in map(_folded, paragraphs):
        if paragraph:
            yield ESCAPE + paragraph if paragraph[0] in "#\\" else paragraph


def _folded(text: str) -> str:
    """On one line, and without what no text may hold."""
    return " ".join(text.replace("\0", "").split()).encode("utf-8", "replace").decode()
