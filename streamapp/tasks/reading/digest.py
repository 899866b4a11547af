"""What `reduce` works with: the results as columns, and the chosen sentences by chapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamapp.tasks.contract import ItemError, Predictor, Result
from streamapp.tasks.reading.select import choose
from streamapp.tasks.reading.tone import tones
from streamapp.tasks.reading.wire import Embedding, Sentence, stacked

__all__ = ["ChapterDigest", "Digest", "digest"]


@dataclass(frozen=True, slots=True)
class ChapterDigest:
    """A chapter: its heading, where it begins among the sentences, and its chosen ones as indices."""

    heading: str
    start: int
    chosen: Sequence[int]


@dataclass(frozen=True, slots=True)
class Digest:
    """A book's sentences, their tones [sentences], its chapters, and the title, empty where the text has none."""

    title: str
    texts: Sequence[str]
    tones: NDArray[np.float64]
    chapters: Sequence[ChapterDigest]

    @property
    def chosen(self) -> list[int]:
        """The chosen sentences of all chapters, ascending."""
        return [index for chapter in self.chapters for index in chapter.chosen]


def digest(
    results: Iterable[Result[Sentence]], predictor: type[Predictor[Any, Any, Embedding]], count: int
) -> Digest | None:
    """Choose `count` sentences a chapter. Sentences that failed are left out; None where none is left."""
    kept: list[tuple[Sentence, Embedding]] = []
    headings: dict[int, str] = {}
    title = ""
    for result in results:
        title = title or result.item.title
        headings[result.item.chapter] = headings.get(result.item.chapter) or result.item.heading
        outcome = result.outcomes[predictor.name]
        if not isinstance(outcome, ItemError):
            kept.append((result.item, result.of(predictor)))
    if not kept:
        return None
    texts = [sentence.text for sentence, _ in kept]
    numbers = np.array([sentence.chapter for sentence, _ in kept], dtype=np.intp)
    embeddings = _unit(stacked([embedding for _, embedding in kept]))
    chosen = choose(texts, [sentence.whole for sentence, _ in kept], numbers, embeddings, count)
    chapters = [
        ChapterDigest(headings[int(number)], int(start), [index for index in chosen if numbers[index] == number])
        for number, start in zip(*np.unique(numbers, return_index=True), strict=True)
    ]
    return Digest(title, texts, tones(embeddings), chapters)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one again: half precision on the wire rounded them."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
    return unit
