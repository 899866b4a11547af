"""Rows 1, 1b and 2: a whole book from POST to e-mail, against the bare model, the engine alone, and origin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import httpx

from benchmarks.harness.services import Service
from benchmarks.harness.texts import sentences
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """Each run takes a book of its own through all of them; which one begins changes from run to run."""
    ways: dict[str, Callable[[str], float]] = {"ours": lambda text: _mailed(stage, stage.ours, text)}
    if "1" in stage.wanted:
        ways["1"] = lambda text: _encoded(stage.bare.ask(text))
    if "1b" in stage.wanted:
        ways["1b"] = lambda text: _encoded(stage.engine.ask(text))
    if "2" in stage.wanted:
        ways["2"] = lambda text: _mailed(stage, stage.origin, text)
    _warm_up(stage)
    for run in range(stage.runs):
        text = stage.texts.book()
        names = list(ways)
        rates: dict[str, float] = {}
        for name in names[run % len(names) :] + names[: run % len(names)]:
            stage.say(f"a book: {name}")
            rates[name] = ways[name](text)
        yield {name: Sample(rates["ours"], rates[name]) for name in names if name != "ours"}


def _warm_up(stage: Stage) -> None:
    """Everything is loaded, and has computed once, before the first run."""
    job = stage.texts.short_job()
    if "1" in stage.wanted:
        stage.bare.ask(job["text"])
    if "1b" in stage.wanted:
        stage.engine.ask(job["text"])
    services: list[Service] = [stage.ours, *([stage.origin] if "2" in stage.wanted else [])]
    for service in services:
        _mailed(stage, service, stage.texts.short_job()["text"])


def _encoded(answer: Mapping[str, float]) -> float:
    """Sentences a second."""
    return answer["sentences"] / answer["seconds"]


def _mailed(stage: Stage, service: Service, text: str) -> float:
    """Sentences a second from POST to e-mail."""
    job = stage.texts.book_job(text)
    started = time.monotonic()
    httpx.post(service.jobs_url, json=job, timeout=60.0, trust_env=False).raise_for_status()
    seconds = stage.sink.wait([job["email"]], stage.sizes.mail_s)[job["email"]] - started
    return len(sentences(text)) / seconds
