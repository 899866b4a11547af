"""From the document's bytes to clean text: one kind of line end, and nothing that a publisher put around the book."""

from __future__ import annotations

import re
from typing import Literal

from streamapp.errors import BadDocument
from streamapp.tasks.contract import Document

__all__ = ["clean", "clean_paragraph", "fold", "frame_of", "read_text"]

LINE_END = re.compile(r"\r\n?|\u2028|\u2029|\x85")
PAGE_BREAK = re.compile(r"[\f\v]")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\u200b]")
NOTE = re.compile(r"\[\s*(?:illustration|frontispiece|transcriber)[^\[\]]{0,3000}\]", re.IGNORECASE)
LIBRARY_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) [^\n]{0,200}$", re.MULTILINE | re.IGNORECASE)
LIBRARY_END = re.compile(r"^(?:\*\*\* ?)?END OF TH(?:E|IS) PROJECT[^\n]{0,200}$", re.MULTILINE | re.IGNORECASE)


def read_text(document: Document) -> str:
    """The document's text, cleaned. Raises `BadDocument` where it is not UTF-8."""
    with document.open() as file:
        content = file.read()
    try:
        return clean(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadDocument(f"The text is not UTF-8: byte {error.start} can't be read. Save it as UTF-8.") from error


def clean(text: str) -> str:
    r"""The text with ``\n`` as its line end; without control characters, picture captions or a library's frame."""
    text = PAGE_BREAK.sub("\n\n", LINE_END.sub("\n", text))
    text = NOTE.sub("\n\n", CONTROL.sub("", text))
    start, end = LIBRARY_START.search(text), LIBRARY_END.search(text)
    return text[start.end() if start else 0 : end.start() if end and (not start or end.start() > start.end()) else None]


def clean_paragraph(text: str) -> str:
    """The same for a paragraph of a book that was decoded."""
    return fold(NOTE.sub(" ", CONTROL.sub("", text)))


def frame_of(text: str) -> Literal["start", "end"] | None:
    """Which line of a library's frame a paragraph is."""
    if LIBRARY_START.match(text):
        return "start"
    return "end" if LIBRARY_END.match(text) else None


def fold(text: str) -> str:
    """Every run of white space as one space, none at the ends."""
    return " ".join(text.split())
