"""The intake as a Flask blueprint: the old path and jobs, on whatever site it is registered with.

::

    from streamapp.intake.flask import blueprint
    site.register_blueprint(blueprint())

It checks, reserves and answers with the functions of the worker's own intake, and reads the same settings; workers do
the rest. This is its composition root. See docs/adr/0023.
"""

from __future__ import annotations

import atexit
import re

import flask

from streamapp.delivery.target import Rules
from streamapp.documents.claim import Blobs
from streamapp.documents.threadspool import ThreadSpool
from streamapp.elsewhere import here
from streamapp.errors import ConfigurationError
from streamapp.intake.answers import Answers
from streamapp.intake.beginning import look_at_store
from streamapp.intake.body import Bodies
from streamapp.intake.buckets import SharedBuckets
from streamapp.intake.cors import ORIGIN, Cors
from streamapp.intake.direct import DirectPace, DirectReserver
from streamapp.intake.forked import PerProcess
from streamapp.intake.fresh import Fresh
from streamapp.intake.keyring import Keyring
from streamapp.intake.limits import Limits
from streamapp.intake.producing import Producing
from streamapp.intake.recipients import Recipients
from streamapp.intake.room import Room
from streamapp.intake.service import Intake
from streamapp.intake.site import PATHS, Desk, answered
from streamapp.intake.upload import Uploads
from streamapp.intake.wsgi import WsgiRequest
from streamapp.jobs.pressure import Pressure
from streamapp.settings import Settings, load_settings
from streamapp.store.direct import DirectDatabase
from streamapp.tasks.registry import Registry, load_registry

__all__ = ["blueprint"]

FLUSH_S = 5.0  # at the end of a process; gunicorn gives its workers 30 to end
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")  # so that we refuse them, not the site
ANYONE = "off-and-anyone-may-use-this"
RATES = "rates"  # the folder of the home in which requests are counted


def blueprint(settings: Settings | None = None, name: str = "streamapp") -> flask.Blueprint:
    """The blueprint, with the environment's settings unless others are given. No connection is kept before a request.

    Raises `ConfigurationError` when they are wrong, or do not say enough; registering it does when there is no store.
    """
    settings = _checked(settings or load_settings())
    registry = load_registry(settings.tasks, settings.only_tasks, settings.chosen_default)
    desks = PerProcess(lambda: _desk(settings, registry))
    cors = Cors(settings.cors_origins)
    made = flask.Blueprint(name, __name__)
    made.record_once(lambda _: look_at_store(settings))

    def add(rule: str) -> None:
        def view(**match: str) -> flask.Response:
            return answered(rule, WsgiRequest(flask.request, match, settings.max_body_bytes), desks, cors)

        made.add_url_rule(
            rule, re.sub(r"\W+", "-", rule).strip("-"), view, methods=METHODS, provide_automatic_options=False
        )

    for rule in PATHS:
        add(rule)

    @made.after_request
    def mark(response: flask.Response) -> flask.Response:
        cors.mark(response.headers, flask.request.headers.get(ORIGIN))
        return response

    return made


def _checked(settings: Settings) -> Settings:
    """Where a site listens is not known here, so a key is always asked for, unless the longer words say otherwise."""
    if not settings.broker:
        raise ConfigurationError("STREAMAPP_BROKER is not set: name the Kafka broker (host:port) that the workers use.")
    if settings.keys == "off":
        raise ConfigurationError(
            "STREAMAPP_KEYS=off is for a worker that this machine alone reaches, and where a Flask site listens is not "
            f"known to its blueprint: leave it out and make a key with `streamapp keys`, or say STREAMAPP_KEYS={ANYONE}"
        )
    return settings if settings.keys == ANYONE else settings.model_copy(update={"keys": "required"})


def _desk(settings: Settings, registry: Registry) -> Desk:
    """All of it, for one process."""
    database = DirectDatabase(settings.store_url)
    keyring, pressure = Keyring(database, settings), Pressure(database, settings, here)
    fresh = Fresh(database, keyring, pressure)
    fresh.check()  # before anything is made in a home that may not be there any more
    blobs = Blobs(settings.blobs)
    producing = Producing(database, settings)
    atexit.register(producing.close, FLUSH_S)
    intake = Intake(
        registry,
        database,
        blobs,
        producing.accepted,
        lambda: pressure.reason,
        keyring.is_paused,
        Recipients(database, settings),
        Rules.of(settings),
        DirectReserver,
        here,
    )
    uploads = Uploads(
        blobs,
        Room(blobs.folder, settings.min_free_mb << 20),
        most_bytes=settings.max_document_bytes,
        at_a_time=settings.uploads,
        elsewhere=here,
        spool=ThreadSpool,
    )
    bodies = Bodies(uploads, settings.upload_timeout_s, DirectPace)
    answers = Answers(database, None, settings.tenant_running)
    limits = Limits(database, SharedBuckets(settings.home / RATES))
    return Desk(settings, registry, database, intake, bodies, answers, keyring, limits, fresh)
