"""A book that is one file of Markdown."""

from __future__ import annotations

from typing import BinaryIO

from streamapp.book import Book
from streamapp.documents.charset import decode_text
from streamapp.documents.limits import Limits
from streamapp.documents.markdown import html_of, title_in
from streamapp.documents.page import book_in

__all__ = ["read_markdown"]


def read_markdown(file: BinaryIO, limits: Limits) -> Book:
    """The book. The intake has brought it to UTF-8. Raises `BadDocument`."""
    text = decode_text(file.read(), "utf-8")
    return book_in(
        html_of(text), "Markdown", limits, title=title_in(text), exhibits=True
    )  # those that are left are prose
