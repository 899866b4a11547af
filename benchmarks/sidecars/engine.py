"""The engine alone: streamapp's batcher and predictor in one process, with a whole book's chunks at once, no Kafka."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sidecars import serve
from streamapp.documents.claim import BLOB, Blobs
from streamapp.inference.devices import pick_device
from streamapp.inference.engine import Engine
from streamapp.jobs import taskwork
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.models import Chunk
from streamapp.settings import Settings, load_settings
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.wire import Sentence

__all__ = ["load"]


def load() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """The engine, and what computes a file's chunks: seconds and sentences."""
    loop = asyncio.new_event_loop()
    settings = load_settings()
    engine = Engine(MiniLM(), Sentence, Blobs(settings.blobs), _hung)
    loop.run_until_complete(engine.load(pick_device(settings.device, settings.torch_threads)))
    atexit.register(lambda: loop.run_until_complete(engine.close()))

    def compute(question: Mapping[str, Any]) -> Mapping[str, Any]:
        chunks = _chunks(settings, Path(question["file"]))
        started = time.perf_counter()
        loop.run_until_complete(_compute(engine, chunks))
        return {"seconds": time.perf_counter() - started, "sentences": sum(len(chunk.items) for chunk in chunks)}

    return compute


async def _compute(engine: Engine, chunks: Sequence[Chunk]) -> None:
    await asyncio.gather(*(engine.compute(chunk) for chunk in chunks))


def _chunks(settings: Settings, file: Path) -> list[Chunk]:
    """The chunks that the planner would make of this file."""
    taskwork.open_desk(settings.model_copy(update={"blob_url": file.parent.as_uri()}))
    assignment = Assignment("summarize", "{}", BLOB + file.name, "text/plain", file.stat().st_size)
    begun = taskwork.begin(assignment)
    assert isinstance(begun, Begun)
    return [
        Chunk(
            tenant="bench",
            job_id="bench",
            run=1,
            step=begun.step,
            chunk=new.chunk,
            predictor=new.predictor,
            document=assignment.document,
            media_type=assignment.media_type,
            size=assignment.size,
            items=json.loads(new.items),
        )
        for new in begun.chunks
    ]


def _hung(reason: str) -> None:
    """End the process, as a model worker does."""
    os._exit(70)


if __name__ == "__main__":
    serve(load)
