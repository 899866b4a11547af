from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import BadDocument
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.sentences import LONGEST, sentences
from streamapp.tasks.reading.text import clean, fold


def split(paragraph: str) -> list[str]:
    """The texts alone."""
    return [text for text, _ in sentences(paragraph)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Mr. Hill met Mrs. Dale and Dr. J. R. Cole at St. Anne's.", "They spoke."],
        ["It was 7.30 at No. 9, i.e. late.", "He slept."],
        ["“Who is it?” said Jane.", "Nobody answered."],
        ['"What is it?" Mrs. Hill asked.', '"Nothing."'],
        ['"Come in!" I cried.', "He came (at last).", "[So he did.]"],
        ["He waited...", "Then he left."],
        ["He waited… and left.", "So did I.", "Then she went."],
        ["Oh! What a day!", "Really?!", "Yes."],
        ["She _knew_.", "_He_ did not."],
        ["The U.S. Army left.", "It was 5 p.m. by then."],
        ["1. Milk and bread.", "All of it."],
        ["Figure 1. A roll.", "Table 2.3. What it costs.", "CHAPTER IV. The Road.", "It is in chapter 4.", "He left."],
        ["“One.", "Two.”", "‘Three.’", "Four."],
        ["He sagte: „Komm mit!“", "Dann ging er z.B. nach Hause."],
        ["今天天气很好。", "我们去吧！"],
        ["no capitals here. none at all"],
        ["An end without a stop"],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts: list[str]) -> None:
    """Abbreviations, initials, speech, ellipses, brackets, numbers, other scripts."""
    expected = parts if len(parts) > 1 or parts[0][0].isupper() else ["no capitals here.", "none at all"]
    text = ("" if parts[0][0] == "今" else " ").join(parts)
    assert split(text) == expected


def test_what_is_too_long_is_cut_at_pauses() -> None:
    """Pieces are bounded, are no whole sentences, and lose nothing."""
    text = "word, " * 1000
    pieces = list(sentences(text.strip()))
    assert all(len(piece) <= LONGEST for piece, _ in pieces)
    assert not any(whole for _, whole in pieces)
    assert fold(" ".join(piece for piece, _ in pieces)) == fold(text)


@given(st.text(alphabet="ab A.!?\"'”“… I1-\n", max_size=300))
def test_nothing_is_lost_and_every_sentence_is_of_the_text(text: str) -> None:
    """The sentences are found in the folded text one behind the other, and hold all of its letters."""
    folded = fold(text)
    place = 0
    for sentence in split(folded):
        place = folded.index(sentence, place) + len(sentence)
    letters = [character for character in folded if character.isalnum()]
    assert [character for character in "".join(split(folded)) if character.isalnum()] == letters


@pytest.mark.parametrize(
    "unit",
    ["a", ".", "a.", "1. ", "A. ", '."', "Oh! ", '"Oh!" ', "So it is. ", "word ", "... ", "-", "No. 1 ", "Box 1. "],
)
def test_splitting_is_linear(unit: str) -> None:
    """A megabyte without a line break is split in a second or two, whatever it repeats."""
    text = fold(unit * (1_000_000 // len(unit)))
    started = time.process_time()
    for _ in sentences(text):
        pass
    assert time.process_time() - started < 6


def test_items_carry_what_reduce_needs() -> None:
    """The title is on the first sentence, a heading on the first one of its chapter, numbers on all."""
    found = list(items(clean("My Title\n\nChapter 1\n\nIt rained. He slept.\n\nChapter 2\n\nIt rained again.\n")))
    assert [(item.text, item.chapter, item.heading, item.title) for item in found] == [
        ("It rained.", 0, "Chapter 1", "My Title"),
        ("He slept.", 0, "", ""),
        ("It rained again.", 1, "Chapter 2", ""),
    ]


def test_a_long_text_without_chapters_is_cut_into_parts() -> None:
    """So that every part of it is represented in the summary."""
    found = list(items("It is so. " * 300))
    assert [item.heading for item in found if item.heading] == ["Part 1", "Part 2", "Part 3", "Part 4"]
    assert len(found) == 300
    assert not any(item.heading for item in items("It is so. " * 100))


@pytest.mark.parametrize("text", ["", " \n ", "* * *", "…?!", "Chapter 1\n\nChapter 2"])
def test_a_text_without_a_sentence_is_refused(text: str) -> None:
    """In words for the person who sent it."""
    with pytest.raises(BadDocument, match="no sentence"):
        items(text)
