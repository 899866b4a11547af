"""Books for tasks: what a task with ``books = True`` gets in `split` for a Markdown, HTML, EPUB, PDF or DOCX file."""

from __future__ import annotations

from streamapp.book import BOOK_TYPE, Book, load_book
from streamapp.tasks.contract import Document

__all__ = ["book_of"]


def book_of(document: Document) -> Book | None:
    """The chapters of a document that was decoded to a book; None for any other, such as plain text."""
    if document.media_type != BOOK_TYPE:
        return None
    with document.open() as file:
        return load_book(file.read().decode("utf-8"))
