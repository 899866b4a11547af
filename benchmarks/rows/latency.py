"""Row 5: one job at a time on an idle machine, from POST to e-mail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median

import httpx

from benchmarks.harness.services import Service
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]

GAP_S = 0.05
WARM_UP = 2


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """The median of a few jobs, ours and origin's in turn."""
    kinds: dict[str, tuple[Callable[[], dict[str, str]], int]] = {
        "5 echo": (stage.texts.echo_job, stage.sizes.echoes),
        "5 short": (stage.texts.short_job, stage.sizes.shorts),
    }
    for make, _ in kinds.values():
        for service in (stage.ours, stage.origin):
            _p50_ms(stage, service, make, WARM_UP)
    for _ in range(stage.runs):
        samples = {}
        for name, (make, count) in kinds.items():
            stage.say(f"{count} jobs each, one at a time")
            ours = _p50_ms(stage, stage.ours, make, count)
            samples[name] = Sample(ours, _p50_ms(stage, stage.origin, make, count))
        yield samples


def _p50_ms(stage: Stage, service: Service, make: Callable[[], dict[str, str]], count: int) -> float:
    took = []
    with httpx.Client(timeout=60.0, trust_env=False) as http:
        for _ in range(count):
            job = make()
            started = time.monotonic()
            http.post(service.jobs_url, json=job).raise_for_status()
            took.append(stage.sink.wait([job["email"]], stage.sizes.mail_s)[job["email"]] - started)
            time.sleep(GAP_S)
    return median(took) * 1000
