"""The composition root: settings become the jobs app with its agents, services and views. It decides nothing.

The model worker has one of its own, `streamapp.inference.bootstrap`.
"""

from __future__ import annotations

import functools

import faust

from streamapp import agents, web
from streamapp.allocator import give_back
from streamapp.apps import STAND_STILL_S, LifecycleApp
from streamapp.delivery.dial import Names
from streamapp.delivery.mailroom import Mailroom
from streamapp.delivery.post import Poster
from streamapp.delivery.send import Mailer, Notifier
from streamapp.delivery.target import Rules
from streamapp.delivery.webhooks import Courier
from streamapp.documents.claim import Blobs
from streamapp.embedded.ports import local_smtp_url
from streamapp.embedded.taken import refuse_taken
from streamapp.events.partials import Partials
from streamapp.events.watch import Watch
from streamapp.garbage import look_less
from streamapp.inference.supervisor import Supervisor
from streamapp.intake.allowed import Allowed
from streamapp.intake.answers import Answers
from streamapp.intake.body import Bodies
from streamapp.intake.bulk import Bulk
from streamapp.intake.erasing import Erasing
from streamapp.intake.http import Api, task_resources
from streamapp.intake.keyring import Keyring
from streamapp.intake.limits import Limits
from streamapp.intake.listing import Listing
from streamapp.intake.notices import Notices
from streamapp.intake.operators import Operators
from streamapp.intake.probes import Probes
from streamapp.intake.recipients import Recipients
from streamapp.intake.reruns import Reruns
from streamapp.intake.results import Results
from streamapp.intake.room import Room
from streamapp.intake.service import Intake
from streamapp.intake.streams import Streams
from streamapp.intake.upload import Uploads
from streamapp.jobs.cancels import Cancels
from streamapp.jobs.collect import Collector
from streamapp.jobs.endings import Endings
from streamapp.jobs.errands import Errands
from streamapp.jobs.headstart import HeadStart
from streamapp.jobs.insight import Insight
from streamapp.jobs.janitor import Janitor
from streamapp.jobs.letters import LetterDesk
from streamapp.jobs.lifecycle import JobsWorker
from streamapp.jobs.lifetimes import Lifetimes
from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.many import Many
from streamapp.jobs.offsets import Offsets, lines
from streamapp.jobs.orphans import Orphans
from streamapp.jobs.partial import Partial
from streamapp.jobs.plan import Planner
from streamapp.jobs.pressure import Pressure
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher
from streamapp.jobs.purging import Purging
from streamapp.jobs.retrying import Retrying
from streamapp.jobs.sweep import Sweeper
from streamapp.jobs.workshop import TIMEOUT_S, Workshop
from streamapp.models import Cancel, Chunk, ChunkResult, DeadLetter, Delivery, Job, WorkerBeat
from streamapp.options import faust_options, topic
from streamapp.process import build_or_leave, leave_misconfigured
from streamapp.sending import DeadLetterBox, raw_sender
from streamapp.settings import Settings
from streamapp.smtp_url import parse_smtp_url
from streamapp.store.database import Database
from streamapp.tasks.registry import load_registry
from streamapp.topics import TopicNames
from streamapp.ui.pages import Pages
from streamapp.ui.views import PageViews
from streamapp.watchdog import GroupOffsets, Watchdog

__all__ = ["jobs_app"]


@functools.cache
def jobs_app() -> faust.App:
    """The jobs worker: the web views, and the agents that plan, collect and deliver."""
    give_back()
    app = build_or_leave(_jobs_app)
    look_less()
    return app


def _jobs_app(settings: Settings) -> faust.App:
    registry = load_registry(settings.tasks, settings.only_tasks, settings.chosen_default)
    address = parse_smtp_url(settings.smtp_url or local_smtp_url(settings.home))
    mailroom = Mailroom(address, settings.mail_timeout_s, settings.mail_concurrency)
    names = TopicNames(settings.topic_prefix)
    app = LifecycleApp(settings.group, **faust_options(settings, "jobs"))
    inference = topic(app, names.inference, Job)
    results = topic(app, names.results, ChunkResult)
    beats = topic(app, names.beats, WorkerBeat)
    email = topic(app, names.email, Delivery)
    notification = topic(app, names.notification, Delivery)
    webhook = topic(app, names.webhook, Delivery)
    buried = topic(app, names.dead_letter, DeadLetter)
    letters = DeadLetterBox(buried)
    chunks = [topic(app, names.chunks(name), Chunk) for name in registry.predictors]
    by_name = {t.get_topic_name(): t for t in (inference, email, notification, webhook, *chunks)}

    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.store_url)
    blobs = Blobs(settings.blobs)
    workshop = Workshop(settings)
    room = settings.tenant_running
    mailer = Mailer(database, mailroom, settings)
    publisher = Publisher(database, by_name, names, room, mailer)
    endings = Endings(database)
    cancels = Cancels(topic(app, names.cancels, Cancel))
    progress = Progress(database, publisher, room, settings.memory_s, settings.chunk_items, endings.ended, cancels.tell)
    errands = Errands(workshop)
    collector = Collector(database, errands, progress)
    planner = Planner(database, errands, progress, collector, room)
    starts = HeadStart(publisher, planner, lambda: app.takes(names.inference))
    predictors = tuple(registry.predictors)
    offsets = Offsets(app.kafka, lines(settings, predictors))
    lost = LostAndFound(database, offsets, names, predictors)
    lifetimes = Lifetimes.of(settings)
    tidy = Janitor(database, blobs, lifetimes, settings.memory_mb << 20).tidy
    sweeper = Sweeper(
        database,
        publisher,
        progress,
        collector,
        lost,
        predictors,
        settings.job_timeout_s,
        tidy,
        room,
    )
    desk = LetterDesk(database, raw_sender(app))
    pressure = Pressure(database, settings)
    keyring = Keyring(database, settings)
    recipients = Recipients(database, settings)
    rules = Rules.of(settings)
    poster = Poster(rules, settings.webhook_timeout_s, Names(settings.webhook_concurrency))
    closed, paused = lambda: pressure.reason, keyring.is_paused
    intake = Intake(registry, database, blobs, starts.accepted, closed, paused, recipients, rules)
    supervisor = Supervisor(settings.model_workers, settings.worker_log_level, leave_misconfigured)
    insight = Insight(offsets, database)
    parts = JobsWorker(
        settings, registry, database, publisher, workshop, sweeper, supervisor, insight, offsets, mailroom.close
    )
    orphans = Orphans(database, blobs, settings.upload_timeout_s)
    watch = Watch(database)
    streams = Streams(database, watch, settings.event_streams)
    partials = Partials(database, workshop, registry, watch)
    parts.first, parts.ready = functools.partial(_may_listen, app), keyring.begin
    parts.keepers = [
        mailroom.open,
        keyring.run,
        pressure.run,
        endings.run,
        orphans.run,
        streams.run,
        partials.run,
        lambda: lifetimes.look(settings, predictors),
    ]
    app.parts = parts
    app.flows = agents.jobs_agents(
        app,
        {
            Job: inference,
            ChunkResult: results,
            DeadLetter: buried,
            WorkerBeat: beats,
            Delivery: (email, notification, webhook),
        },
        letters,
        plan=starts.plan,
        collect=collector.collect,
        mail=mailer.deliver,
        notify=Notifier(database).deliver,
        post=Courier(database, poster, settings).deliver,
        beat=collector.note,
        letter=desk.note,
        mails=settings.mail_concurrency,
        posts=settings.webhook_concurrency,
    )
    app.begun = (starts.begun, mailer.begun)
    app.stand_still_s = min(STAND_STILL_S, settings.stuck_s)
    app.watch = Watchdog(
        app.flows,
        lambda: app.consumer.assignment(),
        GroupOffsets(app.kafka, settings.group),
        settings.stuck_s,
        {
            "inference": 2 * TIMEOUT_S,
            "results": TIMEOUT_S,
            "email": settings.mail_timeout_s,
            "webhook": settings.webhook_timeout_s,
        },
        settings.job_timeout_s,
    ).run
    mark = settings.min_free_mb << 20
    uploads = Uploads(
        blobs, Room(blobs.folder, mark), most_bytes=settings.max_document_bytes, at_a_time=settings.uploads
    )
    bodies = Bodies(uploads, settings.upload_timeout_s)
    answers = Answers(database, endings, room)
    api = Api(settings, registry, intake, database, progress, insight, bodies, answers)
    retrying = Retrying(database, blobs, starts.accepted)
    reruns = Reruns(database, intake, retrying, answers)
    joined, ends, again = lambda: app.joined, lambda: supervisor.trouble, lambda: supervisor.keep_ending
    probes = Probes(database, insight, joined, app.member_s, closed, ends, again)
    listing = Listing(database, room)
    pages = PageViews(api, Pages(settings.max_document_bytes, lambda: keyring.required), reruns, listing)
    purging, partial = Purging(database, blobs), Partial(database, workshop)
    jobs = web.Jobs(
        listing,
        reruns,
        Results(database, partial),
        Erasing(database, purging),
        Allowed(settings, database, task_resources(registry, settings.default_task)),
        Bulk(database, intake, Many(database, progress, retrying, predictors)),
        Notices(database),
    )
    web.routes(app, settings, api, probes, Operators(desk, database), pages, jobs, streams, keyring, Limits(database))
    return app


async def _may_listen(app: faust.App) -> None:
    """By the options of `faust worker` where it was given some, which the settings don't know."""
    if app.conf.web_enabled:
        await refuse_taken(app.conf.web_bind, app.conf.web_port)
