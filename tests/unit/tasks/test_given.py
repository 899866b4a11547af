"""A book whose file says where its chapters are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from streamapp.book import BOOK_TYPE, Book, Chapter, dump_book
from streamapp.tasks.reading.given import read_given
from streamapp.tasks.summarize import SummarizeParams, SummarizeStep

PROSE = "It rained in the morning, and nobody came up the road until the post did."
LONG = " ".join([PROSE] * 4)


@dataclass(frozen=True)
class Decoded:
    content: bytes
    media_type: str = BOOK_TYPE

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """From the start."""
        return io.BytesIO(self.content)


def outline(*chapters: tuple[str, list[str]]) -> list[tuple[str, list[str]]]:
    """What is read of these."""
    found = read_given(Book("", [Chapter(heading, list(paragraphs)) for heading, paragraphs in chapters]))
    return [(chapter.heading, chapter.paragraphs) for chapter in found.chapters]


def test_chapters_are_kept_as_the_file_has_them() -> None:
    """Also where a paragraph would be a heading in plain text, and headings are in no form of theirs."""
    chapters = [("Rain", ["Chapter 1", PROSE]), ("what then", [PROSE]), ("THE POST", ["II. The Man", LONG])]
    assert outline(*chapters) == [*chapters[:2], ("The Post", chapters[2][1])]


def test_what_is_no_part_of_the_prose_is_left_out() -> None:
    """Cover, title page, contents, copyright; lines of stars, numbers of sections, captions; a title page in front."""
    assert outline(
        ("", ["The Road", "by Somebody", LONG]),
        ("Cover", [PROSE]),
        ("CONTENTS", ["Rain", "Post"]),
        ("Copyright © 1905", [PROSE]),
        ("Rain", ["I.", "* * *", "[Illustration: a road]", PROSE, "\ufeff"]),
        ("Index", ["rain, 1"]),
    ) == [("", [LONG]), ("Rain", [PROSE])]


def test_a_librarys_frame_is_left_out() -> None:
    """All that comes before its first line and after its last."""
    assert outline(
        ("About this file", [PROSE]),
        ("Licence", [PROSE, "*** START OF THE PROJECT X EBOOK THE ROAD ***", "The Road"]),
        ("Rain", [PROSE]),
        ("Post", [PROSE, "*** END OF THE PROJECT X EBOOK THE ROAD ***", PROSE]),
        ("The Full Project Gutenberg License", [PROSE]),
    ) == [("Rain", [PROSE]), ("Post", [PROSE])]


def test_a_file_without_chapters_is_read_like_plain_text() -> None:
    """Its headings may be seen in the text, and its own title is the better one."""
    book = Book("The Road", [Chapter("", ["A ROAD", "Chapter 1", PROSE, "Chapter 2", PROSE])])
    found = read_given(book)
    assert found.title == "The Road"
    assert [(chapter.heading, chapter.paragraphs) for chapter in found.chapters] == [
        ("Chapter 1", [PROSE]),
        ("Chapter 2", [PROSE]),
    ]


def test_summarize_takes_a_decoded_book() -> None:
    """Its sentences carry the chapters' headings and the title."""
    book = Book("The Road", [Chapter("Rain", [LONG, PROSE]), Chapter("Post", [PROSE])])
    found = list(SummarizeStep().split(Decoded(dump_book(book).encode()), SummarizeParams()))
    assert [sentence.text for sentence in found] == [PROSE] * 6
    assert [sentence.chapter for sentence in found] == [0] * 5 + [1]
    assert (found[0].title, found[0].heading, found[5].heading) == ("The Road", "Rain", "Post")
