"""The composition root: settings become two Faust apps with their agents, services and views. It decides nothing."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import faust
from faust.types import TopicT

from streamapp import agents, web
from streamapp.apps import LifecycleApp, WithoutWeb, faust_options
from streamapp.delivery.mail import SmtpMail, parse_smtp_url
from streamapp.delivery.send import Mailer, Notifier
from streamapp.documents.claim import Blobs
from streamapp.errors import ConfigurationError
from streamapp.inference.supervisor import Supervisor
from streamapp.inference.worker import ModelWorker, hold_leash
from streamapp.intake.http import Api
from streamapp.intake.service import Intake
from streamapp.jobs.collect import Collector
from streamapp.jobs.insight import Insight
from streamapp.jobs.lifecycle import JobsWorker
from streamapp.jobs.plan import Planner
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher
from streamapp.jobs.sweep import Sweeper
from streamapp.jobs.workshop import Workshop
from streamapp.models import Chunk, ChunkResult, DeadLetter, Delivery, Job, Record, WorkerBeat
from streamapp.sending import DeadLetterBox, send_acked
from streamapp.settings import Settings, load_settings
from streamapp.store.database import Database
from streamapp.tasks.registry import load_registry
from streamapp.topics import TopicNames
from streamapp.ui.pages import Pages
from streamapp.ui.views import PageViews
from streamapp.wire import StrictSchema

__all__ = ["inference_app", "jobs_app"]

CONFIGURATION = 78  # EX_CONFIG of sysexits(3)


@functools.cache
def jobs_app() -> faust.App:
    """The jobs worker: the web views, and the agents that plan, collect and deliver."""
    return _or_leave(_jobs_app)


@functools.cache
def inference_app() -> faust.App:
    """The model worker."""
    hold_leash()
    return _or_leave(_inference_app)


def _jobs_app(settings: Settings) -> faust.App:
    registry = load_registry(settings.tasks, settings.only_tasks)
    server = SmtpMail(parse_smtp_url(settings.smtp_url), settings.mail_timeout_s)
    names = TopicNames(settings.topic_prefix)
    app = LifecycleApp(settings.group, **faust_options(settings, "jobs"))
    inference = _topic(app, names.inference, Job)
    results = _topic(app, names.results, ChunkResult)
    beats = _topic(app, names.beats, WorkerBeat)
    email = _topic(app, names.email, Delivery)
    notification = _topic(app, names.notification, Delivery)
    letters = DeadLetterBox(_topic(app, names.dead_letter, DeadLetter))
    chunks = [_topic(app, names.chunks(name), Chunk) for name in registry.predictors]
    by_name = {t.get_topic_name(): t for t in (inference, email, notification, *chunks)}

    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.store_url)
    blobs = Blobs(settings.blobs)
    workshop = Workshop(settings)
    publisher = Publisher(database, by_name, names)
    progress = Progress(database, publisher)
    planner = Planner(database, workshop, progress)
    collector = Collector(database, workshop, progress)
    sweeper = Sweeper(database, publisher, progress, collector, tuple(registry.predictors), settings.job_timeout_s)
    intake = Intake(registry, database, blobs, publisher.jobs)
    supervisor = Supervisor(settings.model_workers, settings.log_level)
    insight = Insight(settings, registry.predictors, database)
    app.parts = JobsWorker(settings, registry, database, publisher, workshop, sweeper, supervisor, insight)
    agents.jobs_agents(
        app,
        {Job: inference, ChunkResult: results, WorkerBeat: beats, Delivery: (email, notification)},
        letters,
        plan=planner.plan,
        collect=collector.collect,
        mail=Mailer(database, server, settings).deliver,
        notify=Notifier(database).deliver,
        beat=collector.note,
        mails=settings.mail_concurrency,
    )
    api = Api(settings, registry, intake, database, progress, insight, assigned=lambda: bool(app.consumer.assignment()))
    web.routes(app, settings, api, PageViews(api, Pages(settings.max_body_bytes)))
    return app


def _inference_app(settings: Settings) -> faust.App:
    registry = load_registry(settings.tasks, settings.only_tasks)
    names = TopicNames(settings.topic_prefix)
    app = LifecycleApp(f"{settings.group}-inference", **faust_options(settings, "inference"))
    app.boot_strategy = WithoutWeb(app)
    chunks = {name: _topic(app, names.chunks(name), Chunk) for name in registry.predictors}
    letters = DeadLetterBox(_topic(app, names.dead_letter, DeadLetter))
    worker = ModelWorker(
        settings,
        registry,
        _sender(_topic(app, names.results, ChunkResult)),
        _sender(_topic(app, names.beats, WorkerBeat)),
    )
    app.parts = worker
    agents.inference_agents(app, chunks, letters, worker.compute, limit=64)
    return app


def _topic(app: faust.App, name: str, record: type[Record]) -> TopicT:
    return app.topic(name, schema=StrictSchema(value_type=record, key_type=bytes))


def _sender(topic: TopicT) -> Callable[[Record], Awaitable[None]]:
    async def send(record: Record) -> None:
        await send_acked(topic, [record])

    return send


def _or_leave(build: Callable[[Settings], faust.App]) -> faust.App:
    try:
        settings = load_settings()
        if not settings.broker:
            raise ConfigurationError(
                "STREAMAPP_BROKER is not set: name a Kafka broker (host:port), or use `streamapp up`, which starts one."
            )
        return build(settings)
    except ConfigurationError as error:
        leave(error)


def leave(error: ConfigurationError) -> NoReturn:
    """Say in one sentence what is wrong, and leave."""
    sys.stderr.write(f"streamapp: {error}\n")
    sys.stderr.flush()
    os._exit(CONFIGURATION)
