"""Row 8: how work spreads over model workers, with a predictor that waits instead of computing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping

from benchmarks.harness.load import post_all
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]

FIGURES = {2: "8 two", 4: "8 four"}
WARM_UP = 16


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """A deployment for each number of model workers, one after the other, so that none takes CPU from another."""
    for run in range(stage.runs):
        rates = {count: _jobs_per_second(stage, run, count) for count in (1, 2, 4)}
        yield {name: Sample(rates[count], rates[1]) for count, name in FIGURES.items()}


def _jobs_per_second(stage: Stage, run: int, count: int) -> float:
    stage.say(f"{count} model workers that wait")
    ours = stage.new_ours(
        f"waiting-{run}-{count}",
        STREAMAPP_TASKS="benchmarks.waiting:Wait",
        STREAMAPP_ONLY_TASKS="wait",
        STREAMAPP_DEFAULT_TASK="wait",
        STREAMAPP_DEVICE="cpu",
        STREAMAPP_MODEL_WORKERS=str(count),
    )
    with ours:
        ours.until_model_workers(count)
        _run(stage, ours.jobs_url, WARM_UP)
        return _run(stage, ours.jobs_url, stage.sizes.waits)


def _run(stage: Stage, url: str, count: int) -> float:
    jobs = [{**stage.texts.echo_job(), "task": "wait"} for _ in range(count)]
    started = time.monotonic()
    asyncio.run(post_all(url, [json.dumps(job).encode() for job in jobs], stage.sizes.connections))
    last = max(stage.sink.wait([job["email"] for job in jobs], stage.sizes.mail_s).values())
    return count / (last - started)
