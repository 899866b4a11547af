from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from streamapp.tasks.reading import select
from streamapp.tasks.reading.select import choose, coverage, standing

GOOD = "The old man walked down the road to the village and sat by the well."


def rows(count: int, width: int = 6, seed: int = 1) -> NDArray[np.float32]:
    """Random ones of length one."""
    found = np.random.default_rng(seed).normal(size=(count, width))
    unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, 3),
        ("“" + GOOD[:-1] + ",” said the man who had been with him all the while.", 3),
        ("He walked down the road to the village and sat by the old well.", 2),
        ("What did the old man want when he walked down the road to the village?", 2),
        ("The man sat down by the well.", 2),
        ('"' + GOOD, 1),
        ('Now," he said as he walked down the road, "the old man is here at last."', 1),
        ("Precisely so.", 1),
        ("and the old man walked down the road to the village again.", 1),
        ("CHAPTER THE FIRST", 0),
        ("My dear friend,", 0),
    ],
)
def test_how_well_a_sentence_stands_alone(text: str, expected: int) -> None:
    """Headings and salutations not at all, halves of speech hardly, what leans on the one before it less well."""
    assert standing(text) == expected


def test_a_piece_does_not_stand() -> None:
    """What was cut for its length is no sentence, whatever its end."""
    assert standing(GOOD, whole=False) == 0


def test_every_chapter_is_represented_and_the_order_kept() -> None:
    """So many of each chapter, a quarter of a short one, ascending."""
    chapters = np.repeat([0, 1, 2, 3], [40, 12, 5, 1])
    chosen = choose([GOOD] * 58, [True] * 58, chapters, rows(58), 4)
    assert chosen == sorted(set(chosen))
    assert np.bincount(chapters[chosen]).tolist() == [4, 3, 2, 1]


def test_sentences_that_stand_alone_are_preferred() -> None:
    """Others are taken only where those are too few to choose from."""
    texts = [GOOD if place % 2 else "Precisely so." for place in range(40)]
    chosen = choose(texts, [True] * 40, np.zeros(40, dtype=np.intp), rows(40), 5)
    assert all(place % 2 for place in chosen)
    assert len(choose(["Yes."] * 20, [True] * 20, np.zeros(20, dtype=np.intp), rows(20), 3)) == 3
    assert choose(["no end"], [True], np.zeros(1, dtype=np.intp), rows(1), 3) == [0]


def test_greedy_reaches_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one chapter the choice is within 1 - 1/e of the best one (Nemhauser, Wolsey and Fisher 1978)."""
    monkeypatch.setattr(select, "OWN_CHAPTER", 0.0)
    embeddings = rows(16, width=4)
    similar = np.maximum(embeddings @ embeddings.T, 0)

    def value(chosen: tuple[int, ...] | list[int]) -> float:
        return float(similar[:, list(chosen)].max(1).sum())

    chosen = choose([GOOD] * 16, [True] * 16, np.zeros(16, dtype=np.intp), embeddings, 3)
    best = max(value(some) for some in itertools.combinations(range(16), 3))
    assert value(chosen) >= (1 - 1 / np.e) * best
    assert coverage(embeddings, chosen) > coverage(embeddings, [0, 1, 2])


def test_lazy_gains_choose_what_plain_greedy_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laziness saves work and changes nothing."""
    monkeypatch.setattr(select, "OWN_CHAPTER", 0.0)
    embeddings = rows(60, seed=5)
    similar = np.maximum(embeddings @ embeddings.T, 0)
    covered = np.zeros(60, dtype=np.float32)
    plain: list[int] = []
    for _ in range(6):
        gains = np.maximum(similar - covered[:, None], 0).sum(0)
        gains[plain] = -1
        plain.append(int(gains.argmax()))
        covered = np.maximum(covered, similar[:, plain[-1]])
    assert choose([GOOD] * 60, [True] * 60, np.zeros(60, dtype=np.intp), embeddings, 6) == sorted(plain)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A book too long for the whole matrix is covered by every n-th sentence and the most central candidates."""
    monkeypatch.setattr(select, "CANDIDATES", 50)
    monkeypatch.setattr(select, "SIMILARITIES", 2000)
    chapters = np.repeat([0, 1], 100)
    chosen = choose([GOOD] * 200, [True] * 200, chapters, rows(200), 3)
    assert np.bincount(chapters[chosen]).tolist() == [3, 3]
