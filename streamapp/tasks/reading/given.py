"""A book whose file says where its chapters are: they are kept, and what is no part of the prose is left out.

That is what a library put before and after the book, the contents, title page and copyright, captions, decorations. A
file that names no chapter, as many PDFs, is read like plain text: its headings may still be seen in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from streamapp.tasks.reading.chapters import Book, Chapter, read_book
from streamapp.tasks.reading.headings import Kind, heading_of, nice_case
from streamapp.tasks.reading.text import clean, clean_paragraph, frame_of
from streamapp.tasks.reading.titlepage import text_before, text_under

__all__ = ["read_given"]

MATTER = re.compile(
    r"(?:front |back )?cover|(?:half[- ]?)?title(?: ?page)?|copyright(?: .{0,40})?|imprint|colophon|contents|index"
    r"|table of contents|(?:list of )?illustrations|also by .{1,60}|about the author|inhalt(?:sverzeichnis)?|impressum"
    r"|the full project gutenberg.{0,20} license|table des matières|índice",
    re.IGNORECASE,
)


def read_given(book: Book) -> Book:
    """The book that is to be summarised."""
    if not any(chapter.heading for chapter in book.chapters):
        text = "\n\n".join(text for chapter in book.chapters for text in chapter.paragraphs)
        found = read_book(clean(text))
        return Book(book.title or found.title, found.chapters)
    chapters = list(_tidied(_framed(book.chapters)))
    title = nice_case(book.title)
    for place, chapter in enumerate(chapters):
        if not place and not chapter.heading:
            chapter.paragraphs = text_before(chapter.paragraphs, [later.paragraphs[0] for later in chapters[1:]])
        elif title and chapter.heading == title:
            chapter.paragraphs = text_under(chapter.paragraphs)
    return Book(title, [chapter for chapter in chapters if chapter.paragraphs])


def _framed(chapters: Sequence[Chapter]) -> Sequence[Chapter]:
    """Those between the lines that a library frames a book with, if it does."""
    kept: list[Chapter] = []
    for chapter in chapters:
        kept.append(Chapter(chapter.heading))
        for text in chapter.paragraphs:
            match frame_of(text):
                case "start":
                    kept = [Chapter("")]
                case "end":
                    return kept
                case _:
                    kept[-1].paragraphs.append(text)
    return kept


def _tidied(chapters: Sequence[Chapter]) -> Iterator[Chapter]:
    for chapter in chapters:
        paragraphs = [text for text in map(clean_paragraph, chapter.paragraphs) if _is_text(text)]
        heading = nice_case(chapter.heading)
        if paragraphs and not MATTER.fullmatch(heading.strip(" .:")):
            yield Chapter(heading, paragraphs)


def _is_text(text: str) -> bool:
    """Whether it says anything: no line of stars, and no number alone, as of a section."""
    heading = heading_of(text)
    return any(map(str.isalnum, text)) and not (heading and heading.kind is Kind.NUMBER)
