"""PDF (ISO 32000), by pypdf: the text of its pages, the outline as its chapters.

A PDF has no paragraphs and no headings, only where on a page which letters are; `lines` makes paragraphs of that. One
without an outline gives a book of one chapter, whose headings whoever reads it may find in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError
from pypdf.generic import Destination

from streamapp.book import Book
from streamapp.documents.blocks import Block, to_book
from streamapp.documents.limits import Budget, Limits
from streamapp.documents.lines import Line, Paragraph, paragraphs_of
from streamapp.errors import BadDocument

__all__ = ["read_pdf"]

ENCRYPTED = "The PDF is encrypted; send it without a password."
FILE_NAME = re.compile(r"\.(?:docx?|rtf|odt|pdf|indd|tex|dvi|ps|qxd)\b|^microsoft word\b|^untitled\b", re.IGNORECASE)
NOT_WORDS = re.compile(r"[\W_]+")
DEEPEST = 9


def read_pdf(file: BinaryIO, limits: Limits) -> Book:
    """The book. Raises `BadDocument` where it is damaged, encrypted, too much or holds only pictures."""
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadDocument(ENCRYPTED)
        pages = list(_pages(reader, limits))
        title, starts = _title(reader), list(_starts(reader))
    except (DependencyError, FileNotDecryptedError) as error:
        raise BadDocument(ENCRYPTED) from error
    except LimitReachedError as error:
        raise BadDocument(f"The PDF expands to too much: {error}.") from error
    except PyPdfError as error:
        raise BadDocument(f"The PDF is damaged: {error}.") from error
    if not any(any(map(str.isalpha, line.text)) for page in pages for line in page):  # scans may have page numbers
        raise BadDocument("There is no text in this PDF, only pictures: it may be scanned. Send one with text (OCR).")
    return to_book(_with_outline(paragraphs_of(pages), starts), title, "PDF", limits)


def _pages(reader: pypdf.PdfReader, limits: Limits) -> Iterator[list[Line]]:
    """Each page's lines. The count that the file states is of no use: it may be anything."""
    budget = Budget(limits.text, "The text in this PDF has")
    for number, page in enumerate(reader.pages, start=1):
        if number > limits.pages:
            raise BadDocument(f"The PDF has more than {limits.pages:,} pages.")
        lines = [Line()]

        def seen(text: str, matrix: Sequence[float], within: Sequence[float], font: Any, size: float) -> None:
            budget.spend(len(text))
            _draw(lines, text, matrix, within, size)  # noqa: B023 - called before the next page

        page.extract_text(visitor_text=seen)
        yield [line for line in lines if line.text.strip()]


def _draw(lines: list[Line], text: str, matrix: Sequence[float], within: Sequence[float], size: float) -> None:
    """Put a run of letters to where it is; `matrix` is the page's, `within` the text's."""
    first, *others = text.split("\n")
    for place, part in enumerate((first, *others)):
        if place:
            lines.append(Line())
        line = lines[-1]
        if part.strip() and not line.text.strip():
            line.x = within[4] * matrix[0] + within[5] * matrix[2] + matrix[4]
            line.y = within[4] * matrix[1] + within[5] * matrix[3] + matrix[5]
            line.size = size * abs(within[3] * matrix[3] or within[1] * matrix[1] or 1.0)
        line.text += part


def _title(reader: pypdf.PdfReader) -> str:
    """What the file says of itself, unless it is the name of the file that it was made from."""
    stated = reader.metadata.title if reader.metadata else None
    title = " ".join(stated.split()) if isinstance(stated, str) else ""
    return "" if FILE_NAME.search(title) else title


def _starts(reader: pypdf.PdfReader) -> Iterator[tuple[int, Block]]:
    """The outline: the page, from 0, on which each heading is."""
    for depth, entry in _flat(reader.outline):
        page = reader.get_destination_page_number(entry)
        if page is not None and page >= 0 and entry.title:
            yield page, Block(" ".join(str(entry.title).split()), min(depth, DEEPEST))


def _flat(outline: Iterable[Any]) -> Iterator[tuple[int, Destination]]:
    """Without recursion: a file made to harm may be as deep as it likes."""
    stack: list[tuple[int, Any]] = [(1, each) for each in reversed(list(outline))]
    while stack:
        depth, entry = stack.pop()
        if isinstance(entry, list):
            stack += [(depth + 1, each) for each in reversed(entry)]
        else:
            yield depth, entry


def _with_outline(paragraphs: Sequence[Paragraph], starts: Sequence[tuple[int, Block]]) -> Iterator[Block]:
    """The paragraphs, with the outline's headings in place of those on the pages."""
    if len({page for page, _ in starts}) < 2:
        yield from (Block(each.text) for each in paragraphs)
        return
    waiting = sorted(starts, key=lambda start: start[0])
    for number, each in enumerate(paragraphs):
        taken = False
        while waiting and _begins(waiting[0], paragraphs, number):
            heading = waiting.pop(0)[1]
            yield heading
            taken = taken or _same(heading.text, each.text)
        if not taken:
            yield Block(each.text)


def _begins(start: tuple[int, Block], paragraphs: Sequence[Paragraph], number: int) -> bool:
    """Whether a chapter begins with this paragraph: it is its heading, or its page has none that is, from here on."""
    page, heading = start
    if paragraphs[number].page != page:
        return paragraphs[number].page > page
    if _same(heading.text, paragraphs[number].text):
        return True
    rest = paragraphs[number + 1 :]
    return not any(_same(heading.text, each.text) for each in _while_on(page, rest))


def _while_on(page: int, paragraphs: Iterable[Paragraph]) -> Iterator[Paragraph]:
    for each in paragraphs:
        if each.page != page:
            return
        yield each


def _same(heading: str, text: str) -> bool:
    """Whether a paragraph is that heading, or a line of it; signs and capitals do not matter."""
    wanted, found = NOT_WORDS.sub("", heading).lower(), NOT_WORDS.sub("", text).lower()
    return bool(found) and (wanted == found or (len(found) >= 4 and wanted.startswith(found)))
