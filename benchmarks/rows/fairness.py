"""Row 6: short jobs at a steady rate, alone, behind a few whole books, and behind many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import httpx

from benchmarks.harness.load import open_loop
from benchmarks.harness.services import Service
from benchmarks.results import percentile
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Books are posted first and the short jobs right after, so that planning the books counts too."""
    _p95_ms(stage, stage.ours)
    if "6 origin" in stage.wanted:
        stage.origin.until_ready()
    for _ in range(stage.runs):
        stage.say("short jobs, alone")
        unloaded = _p95_ms(stage, stage.ours)
        samples = {}
        if stage.wanted & {"6", "6 origin"}:
            loaded = _behind(stage, stage.sizes.few_books)
            samples["6"] = Sample(loaded, unloaded)
            if "6 origin" in stage.wanted:
                samples["6 origin"] = Sample(loaded, _behind_at_origin(stage))
        if "6 fifty" in stage.wanted:
            samples["6 fifty"] = Sample(_behind(stage, stage.sizes.many_books), unloaded)
        yield {name: sample for name, sample in samples.items() if name in stage.wanted}


def _behind(stage: Stage, count: int) -> float:
    stage.say(f"short jobs, behind {count} books")
    books = [stage.ours.submit(stage.texts.book_job(stage.texts.book())) for _ in range(count)]
    try:
        return _p95_ms(stage, stage.ours)
    finally:
        stage.ours.cancel(books)


def _behind_at_origin(stage: Stage) -> float:
    """The books can't be cancelled there; the short jobs come after them in any case."""
    stage.say(f"short jobs at origin, behind {stage.sizes.few_books} books")
    for _ in range(stage.sizes.few_books):
        job = stage.texts.book_job(stage.texts.book())
        httpx.post(stage.origin.jobs_url, json=job, timeout=60.0, trust_env=False).raise_for_status()
    return _p95_ms(stage, stage.origin)


def _p95_ms(stage: Stage, service: Service) -> float:
    jobs = [stage.texts.short_job() for _ in range(stage.sizes.fair_jobs)]
    shots = asyncio.run(open_loop(service.jobs_url, jobs, stage.sizes.fair_rate))
    arrivals = stage.sink.wait([job["email"] for job in jobs], stage.sizes.mail_s)
    waits = [arrivals[job["email"]] - shot.due for job, shot in zip(jobs, shots, strict=True)]
    return percentile(waits, 0.95) * 1000
