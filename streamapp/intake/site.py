"""What a Flask site's requests are answered with: the handlers for its paths, behind the checks of every intake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import flask
from aiohttp import web

from streamapp.elsewhere import at_once
from streamapp.intake.access import Need, guarded
from streamapp.intake.answers import Answers
from streamapp.intake.body import Bodies
from streamapp.intake.caller import LEFT, caller_of
from streamapp.intake.cors import ASKS, ORIGIN, Cors
from streamapp.intake.forked import PerProcess
from streamapp.intake.fresh import Fresh
from streamapp.intake.handling import as_json
from streamapp.intake.keyring import Keyring
from streamapp.intake.legacy import legacy_submission
from streamapp.intake.limits import Limits
from streamapp.intake.preflight import preflight
from streamapp.intake.problems import as_refused, problem_response
from streamapp.intake.service import Intake
from streamapp.intake.taking import found_job, named_by, push_job, take_job
from streamapp.intake.wsgi import WsgiRequest, as_flask
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.tasks.registry import Registry

__all__ = ["PATHS", "Desk", "answered"]

Handler = Callable[[WsgiRequest], Awaitable[web.Response]]
JOBS = "/v1/jobs"
PUSH = "/kafka/pushToConsumers"


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers the requests of one process."""

    settings: Settings
    registry: Registry
    database: Database
    intake: Intake
    bodies: Bodies
    answers: Answers
    keyring: Keyring
    limits: Limits
    fresh: Fresh

    async def answer(self, request: WsgiRequest, need: Need, handler: Handler) -> web.Response:
        """What the handler answers, if the caller may. Raises `Refused`, and what the intake raises."""
        self.fresh.check()
        if not self.keyring.required:
            return await handler(request)
        sends = request.method in ("POST", "PUT")
        return await guarded(request, handler, need, sends, self.keyring, self.limits, self.settings.link_base)

    async def create(self, request: WsgiRequest) -> web.Response:
        """POST /v1/jobs."""
        return await take_job(request, self.intake, self.bodies, self.answers)

    async def put(self, request: WsgiRequest) -> web.Response:
        """PUT /v1/jobs/{id}."""
        identity = named_by(request.match_info["job_id"])
        return await take_job(request, self.intake, self.bodies, self.answers, identity)

    async def show(self, request: WsgiRequest) -> web.Response:
        """GET /v1/jobs/{id}."""
        tenant, room = caller_of(request).tenant, self.settings.tenant_running
        return as_json(await found_job(self.database, tenant, request.match_info["job_id"], room))

    async def push(self, request: WsgiRequest) -> web.Response:
        """POST /kafka/pushToConsumers."""
        read = lambda fields: legacy_submission(fields, self.settings, self.registry)  # noqa: E731 - it is only handed on
        return await push_job(request, self.intake, self.bodies, read)


#: What is there, as Flask writes paths: for each method what it needs of a key, and who answers.
PATHS: Mapping[str, Mapping[str, tuple[Need, Callable[[Desk, WsgiRequest], Awaitable[web.Response]]]]] = {
    PUSH: {"POST": ("submit", Desk.push)},
    JOBS: {"POST": ("submit", Desk.create)},
    f"{JOBS}/<job_id>": {"GET": ("read", Desk.show), "HEAD": ("read", Desk.show), "PUT": ("submit", Desk.put)},
}


def answered(rule: str, request: WsgiRequest, desks: PerProcess[Desk], cors: Cors) -> flask.Response:
    """The answer to a request for that one of the `PATHS`. Never raises."""
    try:
        response = at_once(_answer(rule, request, desks, cors))
    except Exception as error:
        refused, headers = as_refused(request, error)
        left: dict[str, str] = request.get(LEFT, {})
        response = problem_response(refused, {**left, **headers})
    if "Location" in response.headers:  # the site may have us anywhere
        response.headers["Location"] = request.base + response.headers["Location"]
    return as_flask(response)


async def _answer(rule: str, request: WsgiRequest, desks: PerProcess[Desk], cors: Cors) -> web.Response:
    methods = PATHS[rule]
    if request.method == "OPTIONS" and ASKS in request.headers:
        return preflight(cors, request.headers.get(ORIGIN), request.headers[ASKS], methods)
    desk = desks.get()
    if request.method not in methods:
        return await desk.answer(request, "key", lambda _: _not_here(request, methods))
    need, handler = methods[request.method]
    return await desk.answer(request, need, lambda request: handler(desk, request))


async def _not_here(request: WsgiRequest, methods: Iterable[str]) -> web.Response:
    raise web.HTTPMethodNotAllowed(request.method, sorted({*methods, "OPTIONS"}))
