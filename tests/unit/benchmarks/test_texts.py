"""What is sent is like what was meant: never twice the same, of the stated size, and the same number of sentences."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from benchmarks.harness import texts
from benchmarks.harness.load import Shot
from benchmarks.harness.texts import Texts, sentences

BOOK = "\n\n".join(
    f"The lamp was lit {word} times. “Who did it?” asked the widow of Mr. Marten! Nobody answered her question."
    for word in ("one", "two", "three", "four")
)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Texts:
    """From a small book."""
    (tmp_path / texts.BOOK).write_text(BOOK, encoding="utf-8")
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    return Texts()


def test_no_two_books_share_a_sentence(made: Texts) -> None:
    """Else a remembered result would be measured; and they have the sentences that the book has."""
    first, second = sentences(made.book()), sentences(made.book())
    assert len(first) == len(second) == len(sentences(BOOK))
    assert not set(first) & set(second)


def test_short_jobs_have_eight_sentences(made: Texts) -> None:
    """As the table says."""
    assert len(sentences(made.short_job()["text"])) == 8


def test_small_bodies_have_600_bytes(made: Texts) -> None:
    """With every field, and each is another."""
    make = made.small_bodies(email=made.address())
    bodies = [make() for _ in range(3)]
    assert {len(body) for body in bodies} == {600}
    assert len(set(bodies)) == 3
    assert json.loads(bodies[0])["email"]


def test_no_address_comes_twice(made: Texts) -> None:
    """A mail is told by its recipient."""
    addresses = [made.address() for _ in range(200)]
    assert len(set(addresses)) == 200
    assert all(a.split("@")[1] != b.split("@")[1] for a, b in itertools.pairwise(addresses))


def test_latency_counts_from_when_a_request_was_due() -> None:
    """What waited behind a stalled one has waited."""
    assert Shot(due=10.0, answered=12.5).latency_s == 2.5
