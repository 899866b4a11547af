"""The composition root of the model worker. It imports nothing of the jobs worker, because it has to start fast."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from contextlib import suppress

import faust

from streamapp import agents
from streamapp.apps import LifecycleApp, WithoutWeb
from streamapp.inference.lifeline import hold_leash
from streamapp.inference.quarantine import Quarantine
from streamapp.inference.worker import ModelWorker
from streamapp.models import Chunk, ChunkResult, DeadLetter, Record, WorkerBeat
from streamapp.options import faust_options, sender, topic
from streamapp.process import build_or_leave
from streamapp.sending import DeadLetterBox
from streamapp.settings import Settings
from streamapp.slots import take_slot
from streamapp.tasks.registry import load_registry
from streamapp.topics import TopicNames
from streamapp.watchdog import GroupOffsets, Watchdog

__all__ = ["inference_app"]

ROLE = "inference"
IN_WORK = 64  # chunks; the credits allow far fewer
STIFF_S = 30.0  # a predictor may hold the GIL for so long beyond its time: until then its own limit has said who it is
FAREWELL_S = 1.0
SILENT_BATCHES = 10  # a batch that fails is halved down to one item, which is tried thrice, before any item is done


@functools.cache
def inference_app() -> faust.App:
    """The model worker."""
    farewells: list[Callable[[], None]] = []
    hold_leash(farewells)
    return build_or_leave(lambda settings: _inference_app(settings, farewells))


def _inference_app(settings: Settings, farewells: list[Callable[[], None]]) -> faust.App:
    registry = load_registry(settings.tasks, settings.only_tasks)
    names = TopicNames(settings.topic_prefix)
    app = LifecycleApp(f"{settings.group}-inference", **faust_options(settings, ROLE))
    quarantine = Quarantine.of_slot(settings.home / "inference", take_slot(settings.home / "slots", ROLE))
    farewells += (quarantine.journal.close, lambda: _commit(app))
    app.boot_strategy = WithoutWeb(app)
    chunks = {name: topic(app, names.chunks(name), Chunk) for name in registry.predictors}
    letters = DeadLetterBox(topic(app, names.dead_letter, DeadLetter))
    send_beat = sender(topic(app, names.beats, WorkerBeat))

    async def beat(record: Record) -> None:
        if isinstance(record, WorkerBeat):
            watchdog.note(record.items)
        await send_beat(record)

    worker = ModelWorker(
        settings,
        registry,
        quarantine,
        sender(topic(app, names.results, ChunkResult)),
        beat,
    )
    app.parts = worker
    app.flows = agents.inference_agents(app, chunks, letters, worker.compute, limit=IN_WORK)
    longest_s = max((kind.timeout_s for kind in registry.predictors.values()), default=0.0)
    app.stand_still_s = STIFF_S + longest_s
    watchdog = Watchdog(
        app.flows,
        lambda: app.consumer.assignment(),
        GroupOffsets(app.kafka, f"{settings.group}-{ROLE}"),
        settings.stuck_s,
        {flow.name: SILENT_BATCHES * longest_s for flow in app.flows},
        settings.job_timeout_s,
    )
    app.watch = watchdog.run
    return app


def _commit(app: faust.App) -> None:
    """Commit what is acknowledged. Waits a moment at most: what is not committed is computed again, and is the same."""
    with suppress(Exception):
        asyncio.run_coroutine_threadsafe(app.consumer.commit(), app.loop).result(FAREWELL_S)
