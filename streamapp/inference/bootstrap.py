"""The composition root of the model worker. It imports nothing of the jobs worker, because it has to start fast."""

from __future__ import annotations

import functools

import faust

from streamapp import agents
from streamapp.apps import LifecycleApp, WithoutWeb, build_or_leave, faust_options, sender, topic
from streamapp.inference.worker import ModelWorker, hold_leash
from streamapp.models import Chunk, ChunkResult, DeadLetter, WorkerBeat
from streamapp.sending import DeadLetterBox
from streamapp.settings import Settings
from streamapp.tasks.registry import load_registry
from streamapp.topics import TopicNames

__all__ = ["inference_app"]

IN_WORK = 64  # chunks; the credits allow far fewer


@functools.cache
def inference_app() -> faust.App:
    """The model worker."""
    hold_leash()
    return build_or_leave(_inference_app)


def _inference_app(settings: Settings) -> faust.App:
    registry = load_registry(settings.tasks, settings.only_tasks)
    names = TopicNames(settings.topic_prefix)
    app = LifecycleApp(f"{settings.group}-inference", **faust_options(settings, "inference"))
    app.boot_strategy = WithoutWeb(app)
    chunks = {name: topic(app, names.chunks(name), Chunk) for name in registry.predictors}
    letters = DeadLetterBox(topic(app, names.dead_letter, DeadLetter))
    worker = ModelWorker(
        settings,
        registry,
        sender(topic(app, names.results, ChunkResult)),
        sender(topic(app, names.beats, WorkerBeat)),
    )
    app.parts = worker
    app.flows = agents.inference_agents(app, chunks, letters, worker.compute, limit=IN_WORK)
    return app
