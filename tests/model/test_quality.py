"""What the built-in task promises of its summaries and arcs, measured on two whole books."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamapp.tasks.reading.select import choose, coverage
from streamapp.tasks.reading.text import fold
from streamapp.tasks.reading.tone import arc_of, tones
from streamapp.tasks.reading.wire import Sentence

Embed = Callable[[list[str]], NDArray[np.float32]]
Embedded = tuple[list[Sentence], NDArray[np.float32]]

BOOKS = ["sherlock-holmes.txt", "pride-and-prejudice.txt"]
LABELS = Path(__file__).parents[1] / "data" / "tone_labels.csv"

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("book", "chapters"), [("sherlock-holmes.txt", 12), ("pride-and-prejudice.txt", 61)])
def test_chapters_are_those_of_the_book(
    embedded: Callable[[str], Embedded], books: Path, book: str, chapters: int
) -> None:
    """Their number, and every sentence whole and in its place; no heading among them."""
    items, _ = embedded(book)
    assert items[-1].chapter == chapters - 1
    text = fold((books / book).read_text(encoding="utf-8"))
    place = 0
    for item in items:
        place = text.index(item.text, place) + len(item.text)
    headings = {item.heading for item in items}
    assert not [
        item.text for item in items if item.text in headings or item.text.startswith(("Chapter ", "ADVENTURE "))
    ]


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("book", BOOKS)
def test_the_summary_covers_more_than_chance_and_the_beginning(
    embedded: Callable[[str], Embedded], book: str, count: int
) -> None:
    """The mean of the highest cosines beats as many first, and as many random ones, by five deviations and by 2 %."""
    items, embeddings = embedded(book)
    chapters = np.array([item.chapter for item in items])
    chosen = choose([item.text for item in items], [item.whole for item in items], chapters, embeddings, count)
    random = np.random.default_rng(0)
    draws = [coverage(embeddings, random.choice(len(items), len(chosen), replace=False).tolist()) for _ in range(30)]
    ours = coverage(embeddings, chosen)
    assert ours > coverage(embeddings, range(len(chosen))) * 1.05
    assert ours > max(draws)
    assert ours > np.mean(draws) * 1.02


@pytest.mark.parametrize("book", BOOKS)
def test_the_arc_is_real(embedded: Callable[[str], Embedded], book: str) -> None:
    """It varies several times as much as the shuffled book's, whose arc is flat."""
    values = tones(embedded(book)[1])
    arc = arc_of(values)
    assert arc.ratio > 4
    assert arc.p <= 0.005
    random = np.random.default_rng(0)
    shuffled = [arc_of(random.permutation(values)) for _ in range(20)]
    assert np.mean([flat.ratio for flat in shuffled]) == pytest.approx(1, abs=0.3)
    assert max(flat.ratio for flat in shuffled) < arc.ratio / 2
    assert np.median([flat.p for flat in shuffled]) > 0.2


def test_the_tone_is_right(books: Path, embed: Embed) -> None:
    """For three of four and more of two hundred sentences that were labelled blind, in either class."""
    texts, labels = [], []
    with LABELS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            with (books / row["book"]).open(encoding="utf-8", newline="") as book:
                start = int(row["start"])
                texts.append(fold(book.read()[start : start + int(row["length"])]))
            labels.append(row["label"] == "positive")
    right = (tones(embed(texts)) > 0) == np.array(labels)
    assert len(texts) >= 200
    assert right.mean() >= 0.75
    assert right[np.array(labels)].mean() >= 0.7
    assert right[~np.array(labels)].mean() >= 0.7
