"""What the jobs are about: a limited set of texts, so that each has a report of an undisturbed run to compare with."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Text", "books", "make_texts"]

BOOKS = Path(os.environ.get("STREAMAPP_TEST_BOOKS", Path(__file__).resolve().parents[2] / "shared" / "books"))
EXCERPT = 20_000  # characters: some two hundred sentences
WORDS = ("harbour", "lamp", "boat", "morning", "home", "keeps", "leaves", "again", "the", "every", "until", "and")


@dataclass(frozen=True, slots=True)
class Text:
    """A document with its task. `weight` is how often it is sent, compared with others."""

    id: str
    task: str
    content: str
    weight: float
    params: dict[str, Any] = field(default_factory=dict)


def books() -> list[Path]:
    """The books' files. Raises FileNotFoundError that says where they are looked for."""
    found = sorted(file for file in BOOKS.glob("*.txt"))
    if not found:
        raise FileNotFoundError(f"there are no books in {BOOKS}: name their folder in STREAMAPP_TEST_BOOKS")
    return found


def make_texts(chance: random.Random, *, echoes: int, excerpts: int, whole: int) -> list[Text]:
    """So many short texts, excerpts of books, and whole books."""
    texts = [_echo(chance, number) for number in range(echoes)]
    files = books() if excerpts or whole else []
    for number in range(excerpts):
        book = files[number % len(files)].read_text(encoding="utf-8")
        start = chance.randrange(5_000, len(book) - 2 * EXCERPT)
        start = book.index("\n\n", start) + 2
        texts.append(Text(f"excerpt-{number}", "summarize", book[start : start + EXCERPT], 0.4 / excerpts))
    for number in range(whole):
        book = files[number % len(files)].read_text(encoding="utf-8")
        texts.append(Text(f"book-{number}", "summarize", book, 0.02 / whole))
    return texts


def _echo(chance: random.Random, number: int) -> Text:
    """Three in four are small and travel in the message; the others are kept as blobs and cut into several chunks."""
    words = chance.randrange(4, 200) if number % 4 else chance.randrange(1_200, 8_000)
    content = f"Number {number}. " + " ".join(chance.choices(WORDS, k=words)) + "."
    return Text(f"echo-{number}", "echo", content, 10.0 / (number % 4 * 2 + 1), {"chunk": 200})
