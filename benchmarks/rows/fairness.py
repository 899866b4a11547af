"""Row 6: short jobs at a steady rate, alone, behind a few whole books, and beside another tenant's many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import httpx

from benchmarks.harness.load import open_loop
from benchmarks.harness.services import Ours, Service
from benchmarks.results import percentile
from benchmarks.stage import Sample, Stage
from streamapp.testing.keys import bearer, make_key

__all__ = ["measure"]

Headers = Mapping[str, str]


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Books are posted first and the short jobs right after, so that planning the books counts too."""
    few = stage.wanted & {"6", "6 origin"}
    with ExitStack() as stack:
        if few:
            _p95_ms(stage, stage.ours)
        if "6 origin" in stage.wanted:
            stage.origin.until_ready()
        tenants = stack.enter_context(stage.new_ours("tenants")) if "6 fifty" in stage.wanted else None
        keys = [bearer(make_key(tenants, name)) for name in ("library", "reader")] if tenants else []
        if tenants:
            _p95_ms(stage, tenants, keys[1])
        for _ in range(stage.runs):
            samples = _behind_few(stage) if few else {}
            if tenants:
                samples["6 fifty"] = _beside_many(stage, tenants, *keys)
            yield {name: sample for name, sample in samples.items() if name in stage.wanted}


def _behind_few(stage: Stage) -> dict[str, Sample]:
    """One tenant's short jobs, behind its own books."""
    stage.say("short jobs, alone")
    unloaded = _p95_ms(stage, stage.ours)
    stage.say(f"short jobs, behind {stage.sizes.few_books} books")
    books = [stage.ours.submit(stage.texts.book_job(stage.texts.book())) for _ in range(stage.sizes.few_books)]
    try:
        loaded = _p95_ms(stage, stage.ours)
    finally:
        stage.ours.cancel(books)
    samples = {"6": Sample(loaded, unloaded)}
    if "6 origin" in stage.wanted:
        samples["6 origin"] = Sample(loaded, _behind_at_origin(stage))
    return samples


def _beside_many(stage: Stage, ours: Ours, library: Headers, reader: Headers) -> Sample:
    """A tenant's short jobs, while another tenant has sent many books."""
    stage.say("a tenant's short jobs, alone")
    unloaded = _p95_ms(stage, ours, reader)
    stage.say(f"a tenant's short jobs, beside another's {stage.sizes.many_books} books")
    jobs = [stage.texts.book_job(stage.texts.book()) for _ in range(stage.sizes.many_books)]
    books = [ours.submit(job, **library) for job in jobs]
    try:
        return Sample(_p95_ms(stage, ours, reader), unloaded)
    finally:
        for book in books:
            ours.http.delete(f"/v1/jobs/{book}", headers=dict(library))
        ours.until_idle()


def _behind_at_origin(stage: Stage) -> float:
    """The books can't be cancelled there; the short jobs come after them in any case."""
    stage.say(f"short jobs at origin, behind {stage.sizes.few_books} books")
    for _ in range(stage.sizes.few_books):
        job = stage.texts.book_job(stage.texts.book())
        httpx.post(stage.origin.jobs_url, json=job, timeout=60.0, trust_env=False).raise_for_status()
    return _p95_ms(stage, stage.origin)


def _p95_ms(stage: Stage, service: Service, headers: Headers | None = None) -> float:
    jobs = [stage.texts.short_job() for _ in range(stage.sizes.fair_jobs)]
    shots = asyncio.run(open_loop(service.jobs_url, jobs, stage.sizes.fair_rate, headers))
    arrivals = stage.sink.wait([job["email"] for job in jobs], stage.sizes.mail_s)
    waits = [arrivals[job["email"]] - shot.due for job, shot in zip(jobs, shots, strict=True)]
    return percentile(waits, 0.95) * 1000
