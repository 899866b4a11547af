"""Text before the first chapter is kept, and what a title page says is not."""

from __future__ import annotations

import pytest

from streamapp.book import Book, Chapter
from streamapp.tasks.reading.chapters import read_book
from streamapp.tasks.reading.given import read_given
from streamapp.tasks.reading.text import clean
from streamapp.tasks.reading.titlepage import is_byline, text_before, text_under

SHORT = ["The bridge was old.", "Anna came.", "“Bingley.”", "Call me Ishmael.", "By noon it rained.", "He said:", "No."]
CHAPTERS = [Chapter("After", ["It fell."]), Chapter("Later", ["It rose."])]


def outline(book: Book) -> list[tuple[str, list[str]]]:
    """Headings with their paragraphs."""
    return [(chapter.heading, chapter.paragraphs) for chapter in book.chapters]


@pytest.mark.parametrize("first", ["CHAPTER I", "## After", "Prologue"])
def test_short_sentences_before_the_first_chapter_are_kept(first: str) -> None:
    """In plain text, however its chapters are marked, directly after its title too, and where one begins with by."""
    later = "## Later" if first.startswith("#") else "CHAPTER II"
    opening = ["By noon it rained.", *SHORT]
    text = "\n\n".join(["The Bridge", *opening, first, "It fell.", later, "It rose."])
    book = read_book(clean(text))
    assert book.title == "The Bridge"
    assert [paragraphs for _, paragraphs in outline(book)] == [opening, ["It fell."], ["It rose."]]


def test_so_are_those_of_a_decoded_book() -> None:
    """With or without the book's title above them, and there also what is no sentence, such as a list."""
    for heading in ("", "The Bridge"):
        assert outline(read_given(Book("The Bridge", [Chapter(heading, list(SHORT)), *CHAPTERS])))[0] == (
            heading,
            SHORT,
        )
    points = ["Faster start", "Fewer bugs", "Milk"]
    for start in ([], ["By Jane Doe", "12 March 2024", "Draft Version"]):
        book = Book("The Bridge", [Chapter("The Bridge", [*start, "see below:", *points]), *CHAPTERS])
        assert outline(read_given(book))[0] == ("The Bridge", ["see below:", *points])
    assert outline(read_given(Book("T", [Chapter("T", points), *CHAPTERS])))[0] == ("T", points)


def test_bullets_under_a_heading_of_plain_text_are_kept() -> None:
    """A title that is marked as one has them as its text."""
    text = "# The Bridge\n\n- Milk\n\nEggs\n\n## After\n\nIt fell.\n\n## Later\n\nIt rose."
    assert outline(read_book(clean(text)))[0] == ("", ["- Milk", "Eggs"])


@pytest.mark.parametrize(
    "line",
    [
        "The Road",
        "by",
        "BY JANE AUSTEN.",
        "Translated by Constance Garnett.",
        "Author of “Sense and Sensibility”",
        "IN THREE VOLUMES.",
        "London:",
        "London: George Allen, 1894.",
        "T. Egerton, 1813.",
        "Macmillan & Co.",
        "Copyright, 1905, by A. Man.",
        "© 2020 Jane Doe. All rights reserved.",
        "All rights reserved. No part of it may be copied.",
        "First published in 1905.",
        "Second Edition.",
        "Illustrated.",
        "Printed in Great Britain.",
        "March 1905.",
        "ISBN 0-00-000000-0.",
        "Contents: " + "I. The Man with the Hat II. The Pool " * 9,
    ],
)
def test_a_title_page_is_left_out(line: str) -> None:
    """Each of its lines alone, also one that ends with a full stop."""
    assert text_before([line, "It rained."], ["It fell."]) == ["It rained."]


def test_lines_within_the_text_are_kept() -> None:
    """A line of a letter or a verse, once the text has begun; one that looks like a title is not."""
    assert text_before(["It rained.", "Dear Anna,", "and so on", "The Mill"], ["It fell."]) == [
        "It rained.",
        "Dear Anna,",
        "and so on",
    ]


@pytest.mark.parametrize(
    "line", ["今天天气很好。", "“But I thought\u2014”", "It went on " * 30, "It was (they say) “so.”"]
)
def test_what_ends_a_sentence(line: str) -> None:
    """Marks of other scripts, somebody who is interrupted; and what is too long for a line is none."""
    assert text_before([line], ["It fell."]) == [line]


def test_capitals_tell_nothing_in_a_book_in_capitals() -> None:
    """They tell a title page only where the chapters are not written so."""
    assert text_before(["HE SLEPT."], ["IT FELL."]) == ["HE SLEPT."]
    assert text_before(["HE SLEPT."], ["It fell."]) == []


def test_a_title_page_under_a_title() -> None:
    """It is told by how it begins; then names and contents are left out, up to the text."""
    contents = "I. A Scandal at Home II. The League III. A Case of It IV. The Mystery of the Valley V. The Five Pips"
    assert text_under(["by", "SIR ARTHUR DOYLE", contents, "It rained.", "The Mill"]) == ["It rained.", "The Mill"]
    assert text_under(["The Mill", "By Jane Doe"]) == ["The Mill", "By Jane Doe"]


@pytest.mark.parametrize(
    ("line", "so"),
    [("by", True), ("By Jane Austen", True), ("BY A. B. SMITH.", True), ("by jane, of bath", True),
     ("By noon it rained.", False), ("Bye", False)],
)  # fmt: skip
def test_who_wrote_it(line: str, so: bool) -> None:
    """A sentence may begin with the same word."""
    assert is_byline(line) is so
