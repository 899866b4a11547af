"""A book that is one HTML page."""

from __future__ import annotations

from typing import BinaryIO

from streamapp.book import Book
from streamapp.documents.blocks import to_book
from streamapp.documents.charset import decoded_markup
from streamapp.documents.limits import Limits
from streamapp.documents.markup import read_markup

__all__ = ["read_page"]


def read_page(file: BinaryIO, limits: Limits) -> Book:
    """The book. The intake has brought it to UTF-8, whatever the page says. Raises `BadDocument`."""
    text = decoded_markup(file.read(), "utf-8")
    title, blocks = read_markup(text, limits, xml=text.lstrip().startswith("<?xml"))
    first = next((block.text for block in blocks if block.level == 1), "")
    alone = sum(block.level == 1 for block in blocks) == 1
    return to_book(blocks, first if alone else title, "HTML", limits)
