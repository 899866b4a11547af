"""Which sentences stand for a book: those that together lie nearest to all of its sentences.

The objective is facility location, the sum over all sentences of the highest cosine to a chosen one, with so many
choices a chapter: Lin and Bilmes, "A Class of Submodular Functions for Document Summarization" (ACL 2011). It is
monotone submodular and the budgets are a partition matroid, so that greedy choice is at least half as good as the best
possible one (Fisher, Nemhauser and Wolsey 1978); gains are evaluated lazily (Minoux 1978).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose", "coverage", "standing"]

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

OWN_CHAPTER: Final = 0.2
"""How much more a sentence counts for those of its own chapter; more would tell less of the book as a whole."""
CANDIDATES: Final = 4000
"""At most, over all chapters; those nearest to their chapter's mean are kept."""
SIMILARITIES: Final = 40_000_000
"""Cells of the matrix (160 MB): of a longer book every second, third … sentence stands for its neighbours."""

FINISHED = re.compile(r"[.!?…。！？।][\"”’')\]_*»“‘«]*$")
LEANING = re.compile(
    r"he|she|it|they|his|her|its|their|them|him|this|that|these|those|but|and|or|so|then|thus|there|here|yet|nor|for|such"
    r"|which|however|therefore|also|both|one|another",
    re.IGNORECASE,
)
FIRST_WORD = re.compile(r"\w+")


def standing(text: str, *, whole: bool = True) -> int:
    """How well a sentence stands alone: 3 well, 2 leaning on the one before, 1 a remnant or very short, 0 not."""
    if not whole or not FINISHED.search(text):
        return 0
    words = text.count(" ") + 1
    if not 6 <= words <= 60 or not _quotes_close(text) or text.lstrip("\"“‘'_([")[:1].islower():
        return 1
    first = FIRST_WORD.search(text)
    leans = first is None or LEANING.fullmatch(first.group()) is not None or "?" in text
    return 2 if leans or not 12 <= words <= 45 else 3


def _quotes_close(text: str) -> bool:
    """Quotation marks are in pairs, and the first one opens: the sentence is no half of what somebody says."""
    place = text.find('"')
    opens = place <= 0 or text[place - 1] in " ([\u2014-"
    return (
        opens and text.count('"') % 2 == 0 and text.count("“") == text.count("”") and "”" not in text.partition("“")[0]
    )


def choose(texts: Sequence[str], whole: Sequence[bool], chapters: Indices, embeddings: Floats, count: int) -> list[int]:
    """Indices of the chosen sentences, ascending: `count` of each chapter, fewer where it is short.

    ``chapters`` [sentences], ascending, and ``embeddings`` [sentences, width], rows of length one.
    """
    ranks = np.array([standing(text, whole=flag) for text, flag in zip(texts, whole, strict=True)])
    budgets: dict[int, int] = {}
    pool: list[Indices] = []
    numbers = np.unique(chapters)
    for number in numbers:
        members = np.flatnonzero(chapters == number)
        budgets[int(number)] = min(count, -(-len(members) // 4))
        most = max(CANDIDATES // len(numbers), 2 * count)
        pool.append(_candidates(members, ranks, embeddings, budgets[int(number)], most))
    candidates = np.concatenate(pool)
    step = -(-len(texts) * len(candidates) // SIMILARITIES)
    similar = embeddings[candidates] @ embeddings[::step].T
    for number in numbers:  # each is a block of the matrix, since both sides are in the book's order
        rows, columns = _stretch(chapters[candidates], number), _stretch(chapters[::step], number)
        similar[rows, columns] *= 1 + OWN_CHAPTER
    chosen = _greedy(np.maximum(similar, 0, out=similar), chapters[candidates], budgets)
    return sorted(int(candidates[place]) for place in chosen)


def _stretch(ascending: Indices, number: np.intp) -> slice:
    """Where that number stands."""
    return slice(*np.searchsorted(ascending, [number, number + 1]))


def _candidates(members: Indices, ranks: NDArray[np.int_], embeddings: Floats, budget: int, most: int) -> Indices:
    """Those that stand alone; where they are too few to choose from, those of the next rank as well."""
    for least in (3, 2, 1, 0):
        kept = members[ranks[members] >= least]
        if len(kept) >= 2 * budget or least == 0:
            break
    if len(kept) > most:
        nearness = embeddings[kept] @ embeddings[members].mean(0)
        kept = kept[np.sort(np.argsort(-nearness, kind="stable")[:most])]
    return kept


def _greedy(similar: Floats, groups: Indices, budgets: dict[int, int]) -> list[int]:
    """Take the row of ``similar`` [candidates, sentences] ≥ 0 with the greatest gain, while budgets last."""
    covered = np.zeros(similar.shape[1], dtype=np.float32)
    left = dict(budgets)
    more = np.empty_like(covered)
    heap = [(-float(gain), place) for place, gain in enumerate(similar.sum(1))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and any(left.values()):
        _, place = heapq.heappop(heap)
        if not left[int(groups[place])]:
            continue
        # Gains only shrink, so a fresh one that still leads the stale ones of the others leads for good.
        np.subtract(similar[place], covered, out=more)
        gain = float(np.maximum(more, 0, out=more).sum())
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, place))
            continue
        chosen.append(place)
        left[int(groups[place])] -= 1
        np.maximum(covered, similar[place], out=covered)
    return chosen


def coverage(embeddings: Floats, chosen: Sequence[int]) -> float:
    """The measure: the mean over all sentences of the highest cosine to a chosen one."""
    return float((embeddings @ embeddings[list(chosen)].T).max(1).mean())
