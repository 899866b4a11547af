"""Rows 3 and 4: how many requests the intake accepts, and how it breathes while a book runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial

from benchmarks.harness.load import accepted_per_second, open_loop
from benchmarks.harness.services import Origin, PausedOurs, Service
from benchmarks.results import percentile
from benchmarks.stage import Sample, Stage
from streamapp.testing.deployment import until
from streamapp.testing.keys import make_key

__all__ = ["accepted", "breathing"]

STARTED_S = 120.0
WARM_UP = 0.1  # of the measured time


def accepted(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Row 3: the agents of both are paused, all of the intake is on: ours asks for a key, origin knows none."""
    stage.folder.joinpath("intake").mkdir()
    with (
        PausedOurs(stage.broker, stage.folder / "intake", stage.sink) as ours,
        Origin(stage.broker, stage.folder / "origin-intake", stage.sink, consumers=False) as origin,
    ):
        origin.until_ready()
        key = make_key(ours, scopes=("submit",))
        _accepted(stage, ours, key, WARM_UP)
        _accepted(stage, origin, "", WARM_UP)
        for _ in range(stage.runs):
            yield {"3": Sample(_accepted(stage, ours, key), _accepted(stage, origin, ""))}


def _accepted(stage: Stage, service: Service, key: str, share: float = 1.0) -> float:
    stage.say(f"posting to {type(service).__name__}")
    make = stage.texts.small_bodies(email=stage.texts.address())
    seconds = stage.sizes.accept_s * share
    return asyncio.run(accepted_per_second(service.jobs_url, make, stage.sizes.connections, seconds, key))


def breathing(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Row 4: small jobs in an open loop, without and with a book that is being computed."""
    _p99_ms(stage)
    for _ in range(stage.runs):
        stage.say("intake, idle")
        idle = _p99_ms(stage)
        stage.say("intake, while a book runs")
        # two, so that there is work for the model until the end
        books = [stage.ours.submit(stage.texts.book_job(stage.texts.book())) for _ in range(2)]
        until(partial(_runs, stage, books[0]), STARTED_S, "the book to run")
        busy = _p99_ms(stage, wait=False)
        stage.ours.cancel(books)
        yield {"4": Sample(busy, idle)}


def _runs(stage: Stage, job: str) -> bool:
    return bool(stage.ours.job(job)["progress"]["done"])


def _p99_ms(stage: Stage, *, wait: bool = True) -> float:
    make = stage.texts.small_bodies()
    bodies = [make() for _ in range(int(stage.sizes.open_s * stage.sizes.open_rate))]
    shots = asyncio.run(open_loop(stage.ours.jobs_url, bodies, stage.sizes.open_rate))
    if wait:
        stage.ours.until_idle()
    return percentile([shot.latency_s * 1000 for shot in shots], 0.99)
