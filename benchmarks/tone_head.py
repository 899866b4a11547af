"""Fit the head that gives a sentence its tone, and write streamapp/tasks/reading/tone_head.json.

Run from the repository's root, with the development requirements installed (it reads vaderSentiment's lexicon)::

    python -m benchmarks.tone_head

The regressors are embeddings of single words, alone and in two frames, and the target is the mean valence that ten
people gave the word (Hutto and Gilbert 2014), over four. Ridge, because most of 384 dimensions say nothing about
tone. The zero is where plain statements of fact lie, since words in frames are more cheerful than prose is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streamapp.tasks.minilm import MiniLM

FRAMES = ("{}", "It was {}.", "There was something {} about it, and she felt it.")
RIDGE = 30.0
TARGET = Path(__file__).parents[1] / "streamapp" / "tasks" / "reading" / "tone_head.json"
NEUTRAL = (
    "The train left the station at ten minutes past four.",
    "He put the lamp on the table and sat down opposite to her.",
    "There were two windows in the room, and both of them looked on to the street.",
    "She had brought the letter with her and laid it beside the others.",
    "We walked along the river until we came to the second bridge.",
    "My brother's house stands at the corner, next to the baker's.",
    "The carriage was ordered for eleven, and the trunks were carried down.",
    "“And what did he say to that?” asked the lawyer.",
    "“I shall be in town on Wednesday,” he said, “and will call upon your uncle.”",
    "The papers are kept in the drawer of the desk in the study.",
    "On the following morning they crossed by the early boat.",
    "He took off his gloves and rang the bell.",
    "There was nothing in the paper but the usual columns.",
    "The man wore a grey coat and carried a flat parcel under his arm.",
    "The distance from the gate to the house is about a hundred yards.",
    "“Which of the two came first?”",
    "“It is the third door on the left, at the end of the passage.”",
    "She read it through again, and then handed it to her sister.",
    "The meeting was moved from Monday to Tuesday at half past nine.",
    "After tea the gentlemen spoke of roads, and of the price of corn.",
    "He was a man of middle height, with brown hair, some forty years of age.",
    "The shop opens at eight and is closed on Sundays.",
    "I turned the page and began to copy out the next paragraph.",
    "They had taken the house for a year, from Michaelmas on.",
)

Floats = NDArray[np.float64]


def embed(model: MiniLM, texts: Sequence[str]) -> Floats:
    """float64 [texts, 384]."""
    tokens = [model.tokens(text) for text in texts]
    rows = [model.predict(tokens[start : start + 128]) for start in range(0, len(tokens), 128)]
    return np.stack([row.array() for batch in rows for row in batch if not isinstance(row, Exception)]).astype(
        np.float64
    )


def fit(features: Floats, targets: Floats) -> Floats:
    """Ridge regression on centred data (Hoerl and Kennard 1970): weights [384]."""
    centred = features - features.mean(0)
    gram = centred.T @ centred + RIDGE * np.eye(features.shape[1])
    weights: Floats = np.linalg.solve(gram, centred.T @ (targets - targets.mean()))
    return weights


def main() -> int:
    """Fit and write."""
    model = MiniLM()
    model.precision = "float32"  # type: ignore[misc]  # the file must not depend on the machine
    model.load("cpu")
    lexicon = SentimentIntensityAnalyzer().lexicon
    words = sorted(word for word in lexicon if word.isascii() and word.isalpha() and len(word) > 3)
    features = np.vstack([embed(model, [frame.format(word) for word in words]) for frame in FRAMES])
    targets = np.tile([lexicon[word] / 4 for word in words], len(FRAMES))
    weights = fit(features, targets).round(5)
    zero = round(float((embed(model, NEUTRAL) @ weights).mean()), 5)
    TARGET.write_text(json.dumps({"zero": zero, "weights": weights.tolist()}) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(words)} words in {len(FRAMES)} frames; zero at {zero}; written to {TARGET.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
