"""A book that is one page: HTML, or what was made HTML."""

from __future__ import annotations

from typing import BinaryIO

from streamapp.book import Book
from streamapp.documents.blocks import to_book
from streamapp.documents.charset import decoded_markup
from streamapp.documents.limits import Limits
from streamapp.documents.markup import read_markup

__all__ = ["book_in", "read_page"]


def read_page(file: BinaryIO, limits: Limits) -> Book:
    """The book. The intake has brought it to UTF-8, whatever the page says. Raises `BadDocument`."""
    text = decoded_markup(file.read(), "utf-8")
    return book_in(text, "HTML", limits, xml=text.lstrip().startswith("<?xml"))


def book_in(
    page: str, kind: str, limits: Limits, *, title: str = "", xml: bool = False, exhibits: bool = False
) -> Book:
    """The book in a page of HTML that was of this kind, under this title if it is not empty. Raises `BadDocument`.

    Without code and tables of data, unless there is nothing else or `exhibits` says so.
    """
    said, blocks = read_markup(page, limits, xml=xml, beside=False, exhibits=exhibits)
    if all(block.level for block in blocks):  # also where a header that is never closed holds the whole page
        said, blocks = read_markup(page, limits, xml=xml, exhibits=True)
    first = next((block.text for block in blocks if block.level == 1), "")
    alone = sum(block.level == 1 for block in blocks) == 1
    return to_book(blocks, title or (first if alone else said), kind, limits)
