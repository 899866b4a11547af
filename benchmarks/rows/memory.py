"""Row 9: what streamapp needs beside the model, and that it does not grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.harness.processes import resident_bytes
from benchmarks.harness.services import Ours
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]

MB = 1_000_000


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """One book after the other in one deployment; the last ones are the runs, each with a book for the bare model.

    The worker's own processes (its pool, the model worker) are added up, shared pages counted in each of them.
    """
    books, early = stage.sizes.memory_books, 0.0
    with stage.new_ours("memory") as ours:
        for book in range(1, books + 1):
            stage.say(f"memory, book {book} of {books}")
            now = _after_a_book(stage, ours)
            early = now if book == stage.sizes.memory_from else early
            if book > books - stage.runs:
                bare = stage.bare.ask(stage.texts.book())["rss"] / MB
                yield {"9": Sample(now, bare), "9 flat": Sample(now, early or now)}


def _after_a_book(stage: Stage, ours: Ours) -> float:
    """MB, once the book has ended and its e-mail was sent."""
    job = ours.submit(stage.texts.book_job(stage.texts.book()))
    ended = ours.finished(job, stage.sizes.mail_s)
    assert ended["status"] == "succeeded", ended["error"]
    ours.until_idle()
    return resident_bytes(ours.tree()) / MB
