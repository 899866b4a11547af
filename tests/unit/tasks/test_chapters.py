from __future__ import annotations

import time

import pytest

from streamapp.tasks.reading.chapters import Book, read_book
from streamapp.tasks.reading.headings import Kind, heading_of, nice_case
from streamapp.tasks.reading.text import clean

PROSE = "It rained in the morning, and nobody came up the road until the post did."
LONG = " ".join([PROSE] * 4)


def read(text: str) -> Book:
    """As `items` does."""
    return read_book(clean(text))


def headings(text: str) -> list[str]:
    """Those found."""
    return [chapter.heading for chapter in read(text).chapters]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Chapter 1", Kind.CHAPTER),
        ("CHAPTER XLII.", Kind.CHAPTER),
        ("Chapter Twenty-One", Kind.CHAPTER),
        ("Chapter the Last", Kind.CHAPTER),
        ("THE FIRST LETTER", Kind.CHAPTER),
        ("Chapter 3: The Pool of Tears", Kind.CHAPTER),
        ("ADVENTURE I. A SCANDAL AT HOME", Kind.CHAPTER),
        ("Глава 7", Kind.CHAPTER),
        ("BOOK THE SECOND", Kind.PART),
        ("VII. THE ADVENTURE OF THE BLUE KITE", Kind.TITLED),
        ("II.", Kind.NUMBER),
        ("- 12 -", Kind.NUMBER),
        ("Epilogue", Kind.NAMED),
        ("## The Start", Kind.MARKDOWN),
        ("THE LONG WAY", Kind.CAPITALS),
        ("Contents", Kind.CONTENTS),
        ("Chapter 1 ......... 5", Kind.CONTENTS),
        ("Part of the plan was simple.", None),
        ("Chapter one of the book bored him", None),
        ("Act two was dull. He slept.", None),
        ("I. e. nothing came of it at all.", None),
        ("“MY DEAR FRIEND,--", None),
        ("STOP!", None),
        ("It was a long day", None),
        ("", None),
    ],
)
def test_headings_are_told_from_prose(line: str, kind: Kind | None) -> None:
    """Each line's kind; None is prose."""
    found = heading_of(line)
    assert (found.kind if found else None) is kind


def test_chapters_lie_under_their_headings() -> None:
    """The title page and the contents are dropped, the rest keeps its order."""
    book = read(
        f"THE LONG WAY HOME\n\nby\n\nSOMEBODY\n\n  I. The Start\n II. The Middle\nIII. The End of It\n\n"
        f"CHAPTER I. THE START\n\nI.\n\n{PROSE}\n\nII.\n\nSecond.\n\nCHAPTER II. THE MIDDLE\n\n{PROSE}\n\nTHE END\n"
    )
    assert book.title == "The Long Way Home"
    assert [chapter.heading for chapter in book.chapters] == ["Chapter I. The Start", "Chapter II. The Middle"]
    assert book.chapters[0].paragraphs == [PROSE, "Second."]
    assert book.chapters[1].paragraphs == [PROSE]


def test_contents_with_blank_lines_are_dropped() -> None:
    """A heading with nothing under it that comes again is a line of the contents."""
    text = f"CONTENTS\n\nChapter 1. A\n\nChapter 2. B\n\nChapter 1. A\n\n{LONG}\n\nChapter 2. B\n\n{LONG}"
    assert headings(text) == ["Chapter 1. A", "Chapter 2. B"]
    assert headings(text.replace("2. B", "2. B\n\nA short note to the reader.", 1)) == ["Chapter 1. A", "Chapter 2. B"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"CHAPTER I\nDown the Hole\n\n{PROSE}\n\nCHAPTER II\n\nThe Pool\n\n{PROSE}",
            ["Chapter I. Down the Hole", "Chapter II. The Pool"],
        ),
        (
            f"PART ONE\n\nChapter 1\n\n{PROSE}\n\nPART TWO\n\nChapter 1\n\n{LONG}",
            ["Part One · Chapter 1", "Part Two · Chapter 1"],
        ),
        (f"I.\n\n{PROSE}\n\nII.\n\n{PROSE}", ["I.", "II."]),
        (f"# A Story\n\n## Start\n\n{PROSE}\n\n## Finish\n\n{PROSE}", ["Start", "Finish"]),
        (f"A TALE\n\nTHE START\n\n{LONG}\n\nTHE FINISH\n\n{LONG}", ["The Start", "The Finish"]),
        (f"{LONG}\nCHAPTER 2\n{PROSE}", ["", "Chapter 2"]),
        (f"Prologue\n\n{PROSE}\n\nChapter 1\n\n{PROSE}\n\nEpilogue\n\n{PROSE}", ["Prologue", "Chapter 1", "Epilogue"]),
        (f"{PROSE}\n\n{PROSE}", [""]),
    ],
)
def test_books_mark_their_chapters_in_many_ways(text: str, expected: list[str]) -> None:
    """Number and title on one line or two, parts, numbers alone, Markdown, capitals, nothing."""
    assert headings(text) == expected


def test_decorations_pictures_and_frames_are_dropped() -> None:
    """Lines of signs, captions, and what a library puts around a book are no prose."""
    text = (
        f"Header.\n*** START OF THE PROJECT X EBOOK ***\n\n{PROSE}\n\n* * * * *\n\n[Illustration: a\nhorse]\n\n{PROSE}"
        "\n\n*** END OF THE PROJECT X EBOOK ***\nLicence."
    )
    assert [chapter.paragraphs for chapter in read(text).chapters] == [[PROSE, PROSE]]


def test_line_ends_and_byte_order_marks_change_nothing() -> None:
    """Windows' line ends, a byte order mark and form feeds give the book that Unix' give."""
    text = f"My Title\n\nChapter 1\n\nIt rained\nall day.\n\nChapter 2\n\n{PROSE}\n"
    expected = read(text)
    assert expected.title == "My Title"
    assert read("\ufeff" + text.replace("\n", "\r\n")) == expected
    assert read(text.replace("\n\nChapter 2", "\fChapter 2")) == expected


def test_one_paragraph_a_line_is_seen() -> None:
    """Long lines are paragraphs of their own, also without blank lines between them."""
    book = read(f"The Long Way\n{LONG}\n“Who is it?”\n{LONG}\n")
    assert book.title == "The Long Way"
    assert book.chapters[0].paragraphs == [LONG, "“Who is it?”", LONG]


def test_wrapped_lines_are_joined() -> None:
    """Short lines without blank ones between are one paragraph."""
    assert read("It rained\nall day\nlong.\n\nThen not.").chapters[0].paragraphs == [
        "It rained all day long.",
        "Then not.",
    ]


def test_a_text_in_capitals_keeps_its_prose() -> None:
    """Capitals mark headings only where the rest has none."""
    text = "IT WAS LATE. HE SLEPT.\n\nTHE DOOR\n\nTHEN HE WOKE. WHAT A DAY!\n\nTHE ROAD\n\nHE WENT HOME."
    assert headings(text) == [""]


@pytest.mark.parametrize(
    ("text", "nice"),
    [
        ("CHAPTER IV. THE MAN WITH THE HAT", "Chapter IV. The Man with the Hat"),
        ("THE RED-HEADED BAND", "The Red-Headed Band"),
        ("Already   fine", "Already fine"),
        ("_THE END OF IT_", "The End of It"),
    ],
)
def test_headings_are_written_for_people(text: str, nice: str) -> None:
    """Capitals become those of a title; Roman numbers stay."""
    assert nice_case(text) == nice


@pytest.mark.parametrize(
    "unit", ["a", "I", "M.\n", "# ", "[", "Chapter 1\n", "[illustration ", "Chapter 1 . . . .", "\n", " ", "= = =\n"]
)
def test_reading_is_linear(unit: str) -> None:
    """Four times the text takes far less than sixteen times as long, at the best of three: others make it longer."""
    few, many = (min(_reading_s(unit * (size // len(unit))) for _ in range(3)) for size in (100_000, 400_000))
    assert many < 8 * few + 0.3


def _reading_s(text: str) -> float:
    started = time.process_time()
    read(text)
    return time.process_time() - started
