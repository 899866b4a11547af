"""Row 7: many jobs without a model at once; until every e-mail and every notification is there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping

from benchmarks.harness.load import post_all
from benchmarks.harness.services import Service
from benchmarks.stage import Sample, Stage
from streamapp.testing.deployment import until

__all__ = ["measure"]

WARM_UP = 20


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Jobs a second of both, in turn."""
    for service in (stage.ours, stage.origin):
        _jobs_per_second(stage, service, WARM_UP)
    for _ in range(stage.runs):
        ours = _jobs_per_second(stage, stage.ours, stage.sizes.burst)
        yield {"7": Sample(ours, _jobs_per_second(stage, stage.origin, stage.sizes.burst))}


def _jobs_per_second(stage: Stage, service: Service, count: int) -> float:
    stage.say(f"{count} jobs at once: {type(service).__name__}")
    jobs = [stage.texts.echo_job() for _ in range(count)]
    lines = service.inbox() + count
    started = time.monotonic()
    asyncio.run(post_all(service.jobs_url, [json.dumps(job).encode() for job in jobs], stage.sizes.connections))
    mailed = max(stage.sink.wait([job["email"] for job in jobs], stage.sizes.mail_s).values())
    noticed = mailed
    if service.inbox() < lines:
        until(lambda: service.inbox() >= lines, stage.sizes.mail_s, "all notifications", every_s=0.01)
        noticed = time.monotonic()
    return count / (max(mailed, noticed) - started)
