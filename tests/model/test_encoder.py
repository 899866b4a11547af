"""The encoder against the library it stands in for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamapp.tasks.minilm import MAX_TOKENS, MiniLM, Plan, model_folder
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import clean

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.timeout(600),
]

Embed = Callable[[list[str]], NDArray[np.float32]]


def sample(books: Path) -> list[str]:
    """Every twentieth sentence of both books, and what is odd."""
    texts = [
        item.text
        for name in ("sherlock-holmes.txt", "pride-and-prejudice.txt")
        for item in list(items(clean((books / name).read_text(encoding="utf-8"))))[::20]
    ]
    return [*texts, "word " * 400, "x", "…?!", "今天天气很好。", "😀", "UPPER and lower é ü ñ"]


def test_embeddings_agree_with_sentence_transformers(books: Path, embed: Embed) -> None:
    """Cosine 0.999 or more for every one of some six hundred sentences; in truth, rounding alone is between them."""
    from sentence_transformers import SentenceTransformer

    texts = sample(books)
    expected = SentenceTransformer(str(model_folder()), device="cpu").encode(texts, convert_to_numpy=True)
    cosines = (embed(texts) * expected).sum(1)
    assert len(texts) > 500
    assert cosines.min() > 0.9999


def test_a_sentence_means_the_same_in_every_company(embed: Embed) -> None:
    """Packing, order and neighbours of other lengths change nothing."""
    texts = ["A short one.", "A rather longer one, with a comma and then some more words.", "Yes.", "word " * 300]
    alone = np.vstack([embed([text]) for text in texts])
    assert (embed(texts) * alone).sum(1).min() > 0.9999
    assert (embed(texts[::-1])[::-1] * alone).sum(1).min() > 0.9999


def test_padding_within_slack_changes_nothing(books: Path) -> None:
    """What a GPU is given, with masks, is what packing without padding gives."""
    model = MiniLM()
    model.precision = "float32"  # type: ignore[misc]
    model.load("cpu")
    tokens = [model.tokens(text) for text in sample(books)[:120]]
    exact = model.predict(tokens)
    model._plan = Plan(try_bfloat16=False, slack=0.5)
    padded = model.predict(tokens)
    pairs = zip(exact, padded, strict=True)
    assert min(float(one.array() @ other.array()) for one, other in pairs) > 0.9999  # type: ignore[union-attr]


def test_long_sentences_are_truncated() -> None:
    """At 256 tokens, as sentence-transformers does."""
    model = MiniLM()
    model.load("cpu")
    assert len(model.tokens("word " * 1000)) == MAX_TOKENS
    assert model.predict([]) == []


def test_bfloat16_is_probed(caplog: pytest.LogCaptureFixture) -> None:
    """It agrees at 0.999 where it is used; where it would not, float32 is."""
    model = MiniLM()
    model.precision = "bfloat16"  # type: ignore[misc]
    with caplog.at_level(logging.INFO, logger="streamapp.tasks.minilm"):
        model.load("cpu")
    probed = next(record for record in caplog.records if record.getMessage() == "bfloat16 probed")
    assert probed.__dict__["cosine"] >= 0.999
    assert probed.__dict__["used"] is True


def test_bfloat16_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agreement that can't be reached leaves float32."""
    monkeypatch.setattr("streamapp.tasks.minilm.AGREEMENT", 1.1)
    model = MiniLM()
    model.precision = "bfloat16"  # type: ignore[misc]
    model.load("cpu")
    assert str(model._encoder.dtype) == "torch.float32"
