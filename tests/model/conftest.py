from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import clean
from streamapp.tasks.reading.wire import Embedding, Sentence

Embed = Callable[[list[str]], NDArray[np.float32]]
Embedded = tuple[list[Sentence], NDArray[np.float32]]

BOOKS = Path(os.environ.get("STREAMAPP_TEST_BOOKS", Path(__file__).parents[3] / "shared" / "books"))


@pytest.fixture(scope="session")
def books() -> Path:
    """The folder with the two books."""
    if not BOOKS.is_dir():
        pytest.skip("the shared books are not here")
    return BOOKS


@pytest.fixture(scope="session")
def embed() -> Embed:
    """Texts to embeddings [texts, 384], in float32 and batches of the predictor's budget."""
    model = MiniLM()
    model.precision = "float32"  # type: ignore[misc]  # the reference that bfloat16 is checked against
    model.load("cpu")

    def compute(texts: list[str]) -> NDArray[np.float32]:
        batches: list[list[list[int]]] = [[]]
        room = model.budget
        for tokens in map(model.tokens, texts):
            room -= model.cost(tokens)
            if room < 0:
                batches.append([])
                room = model.budget - model.cost(tokens)
            batches[-1].append(tokens)
        found = [outcome for batch in batches for outcome in model.predict(batch)]
        return np.stack([outcome.array() for outcome in found if isinstance(outcome, Embedding)])

    return compute


@pytest.fixture(scope="session")
def embedded(books: Path, embed: Embed) -> Callable[[str], Embedded]:
    """A book's sentences and embeddings, computed once a session."""
    known: dict[str, Embedded] = {}

    def of(name: str) -> Embedded:
        if name not in known:
            found = list(items(clean((books / name).read_text(encoding="utf-8"))))
            known[name] = (found, embed([item.text for item in found]))
        return known[name]

    return of
