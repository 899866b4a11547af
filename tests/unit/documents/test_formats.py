"""A whole book is the same book, whatever file it comes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamapp.book import Book, load_book
from streamapp.documents import kinds
from streamapp.documents.apart import DecodedDocument, decoded
from streamapp.documents.limits import MIB, Limits
from streamapp.tasks.reading.chapters import read_book
from streamapp.tasks.reading.given import read_given
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import clean
from tests.unit.documents import make

# by the clock a busy machine may take any time
LIMITS = Limits(seconds=600)


@pytest.fixture(scope="module")
def book(books: Path) -> Book:
    """As it is read from plain text: twelve chapters."""
    return read_book(clean((books / "sherlock-holmes.txt").read_text(encoding="utf-8")))


def without_outline(book: Book) -> bytes:
    """Only its pages say where the chapters are."""
    return make.pdf(book, outline=False)


@pytest.mark.parametrize(
    ("write", "media_type", "like"),
    [
        (make.markdown, kinds.MARKDOWN, 1.0),
        (make.html, kinds.HTML, 1.0),
        (make.epub, kinds.EPUB, 1.0),
        (make.docx, kinds.DOCX, 1.0),
        (make.pdf, kinds.PDF, 0.999),
        (without_outline, kinds.PDF, 0.999),
    ],
)
def test_the_same_book(book: Book, write: Callable[[Book], bytes], media_type: str, like: float) -> None:
    """The same title, chapters under the same headings, and the same sentences, but for a few where lines were cut."""
    file = DecodedDocument(write(book), media_type)
    found = read_given(load_book(decoded(file, LIMITS).content.decode()))
    assert found.title == book.title
    assert [chapter.heading for chapter in found.chapters] == [chapter.heading for chapter in book.chapters]
    ours, plain = [[sentence.text for sentence in items(each)] for each in (found, book)]
    assert len(set(ours) & set(plain)) >= like * len(set(plain))
    assert abs(len(ours) - len(plain)) <= (1 - like) * len(plain)


def test_a_book_needs_a_part_of_what_it_may_use(book: Book) -> None:
    """A quarter of the default memory is enough for the most wasteful kind, so that larger books have room."""
    narrow = Limits(seconds=600, memory=256 * MIB)
    assert load_book(decoded(DecodedDocument(make.pdf(book), kinds.PDF), narrow).content.decode()).chapters
