from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pytest

from streamapp.tasks.contract import Document, ItemError, Result
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.wire import WIDTH, Embedding, Sentence

Results = Callable[..., list[Result[Sentence]]]
Post = Callable[[str | bytes], Document]


@dataclass(frozen=True)
class InMemory:
    content: bytes
    media_type: str = "text/plain"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """From the start."""
        return io.BytesIO(self.content)


@pytest.fixture
def post() -> Post:
    """A document of the given text or bytes."""
    return lambda content: InMemory(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def computed() -> Results:
    """Results with random embeddings for the items; those at the places in `failed` have failed."""

    def compute(items: Iterable[Sentence], failed: Iterable[int] = ()) -> list[Result[Sentence]]:
        known, bad = list(items), set(failed)
        rows = np.random.default_rng(0).normal(size=(len(known), WIDTH))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        vectors = [Embedding(vector=row.astype("<f2").tobytes()) for row in rows]
        return [
            Result(item, {MiniLM.name: ItemError("bad") if place in bad else vectors[place]})
            for place, item in enumerate(known)
        ]

    return compute
