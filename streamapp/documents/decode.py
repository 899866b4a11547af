"""A file to a book, by its kind. Each reader is imported when it is needed: pypdf alone takes half a second."""

from __future__ import annotations

from typing import BinaryIO

from streamapp.book import Book
from streamapp.documents.limits import Limits

__all__ = ["decode"]


def decode(file: BinaryIO, media_type: str, limits: Limits) -> Book:
    """The book in a file of one of the types `streamapp.book.BOOK_FILES`. Raises `BadDocument`."""
    match media_type:
        case "application/epub+zip":
            from streamapp.documents.epub import read_epub

            return read_epub(file, limits)
        case "application/pdf":
            from streamapp.documents.pdf import read_pdf

            return read_pdf(file, limits)
        case "text/html" | "application/xhtml+xml":
            from streamapp.documents.page import read_page

            return read_page(file, limits)
        case "text/markdown":
            from streamapp.documents.markdownpage import read_markdown

            return read_markdown(file, limits)
        case _:
            from streamapp.documents.docx import read_docx

            return read_docx(file, limits)
