"""What is sent: the shared books, each time a little different, and short jobs.

A result that was computed before may be remembered, so no text is sent twice: every sentence gets a number that is
this text's own. The bare model and the other pipeline get the very same sentences.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import clean

__all__ = ["Texts", "sentences"]

FOLDER = Path(os.environ.get("STREAMAPP_TEST_BOOKS", Path(__file__).parents[3] / "shared" / "books"))
BOOK = "sherlock-holmes.txt"
SKIPPED = 4_000  # characters of title and table of contents, when only a part of the book is wanted
END = re.compile(r"(?<=\w)(?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bSt)(?<!\b[A-Z])([.!?]+|--)(?=[\s”’\"'_)]|$)")
SMALL_BYTES = 600
DOMAINS = 50
SHORT = (
    "The lamp in the window of the harbour office was lit for the first time in {n} days.",
    "Nobody on the quay could say who had climbed the stairs to light it.",
    "Old Marten swore he had seen a stranger with a case, walking fast and looking back.",
    "By morning the whole town was happy, and stood laughing in the rain.",
    "The boats that had been given up for lost came in one after the other.",
    "Only the widow of house number {n} kept her shutters closed and wept.",
    "She had found the case on her step, and what lay in it was terrible.",
    "In the evening she carried it down to the water and let it go.",
)


def sentences(text: str) -> list[str]:
    """A text's sentences as `summarize` cuts them."""
    return [item.text for item in items(clean(text))]


class Texts:
    """Bodies of jobs, each with an address of its own. `characters`: how much of the book, None for all of it."""

    def __init__(self, characters: int | None = None) -> None:
        text = (FOLDER / BOOK).read_text(encoding="utf-8-sig")
        self._book = text if characters is None else text[SKIPPED : SKIPPED + characters]
        self._numbers = itertools.count(100)

    def address(self) -> str:
        """One that no other job has, at one of many domains: a sender may hold back what goes to a single one."""
        number = next(self._numbers)
        return f"r{number}@d{number % DOMAINS}.example.org"

    def book(self) -> str:
        """The book, with a number at each sentence's end that no other one has."""
        return END.sub(rf" {next(self._numbers)}\1", self._book)

    def book_job(self, text: str, email: str | None = None) -> dict[str, str]:
        """A summary of this text."""
        return {"task": "summarize", "text": text, "email": email or self.address()}

    def short_job(self) -> dict[str, str]:
        """A summary of eight sentences."""
        number = next(self._numbers)
        return self.book_job(" ".join(SHORT).format(n=number))

    def echo_job(self) -> dict[str, str]:
        """A job without a model."""
        return {"task": "echo", "text": f"Job {next(self._numbers)} says hello.", "email": self.address()}

    def small_bodies(self, **fields: str) -> Callable[[], bytes]:
        """Makes bodies of echo jobs of exactly 600 bytes."""

        def make() -> bytes:
            body = {"task": "echo", "text": f"Job {next(self._numbers)} ", **fields}
            body["text"] += "." * (SMALL_BYTES - len(json.dumps(body)))
            return json.dumps(body).encode()

        return make
