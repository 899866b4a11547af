"""The Faust web views' routes. Each view is thin: read the request, call, answer; errors become problem documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import faust
from aiohttp import web
from faust.web import View
from faust.web.base import BlueprintManager
from faust.web.drivers.aiohttp import Web
from faust.web.exceptions import WebError

from streamapp.intake.access import Need, Needs, access
from streamapp.intake.allowed import Allowed
from streamapp.intake.bodies import body_schemas
from streamapp.intake.bulk import Bulk
from streamapp.intake.erasing import Erasing
from streamapp.intake.http import Api
from streamapp.intake.keyring import Keyring
from streamapp.intake.legacy import legacy_submission
from streamapp.intake.limits import Limits
from streamapp.intake.listing import Listing
from streamapp.intake.openapi import Call, describe, served, template_of
from streamapp.intake.operators import Operators
from streamapp.intake.probes import Probes
from streamapp.intake.problems import problems
from streamapp.intake.reruns import Reruns
from streamapp.intake.results import Results
from streamapp.intake.streams import Streams
from streamapp.settings import Settings
from streamapp.ui.login import LoginViews
from streamapp.ui.views import PageViews

__all__ = ["Jobs", "routes"]

Handler = Callable[..., Awaitable[web.StreamResponse]]

#: What a route needs, by method: of the keys' scopes, unless it says otherwise.
USUAL: Mapping[str, Need] = {"get": "read", "head": "read", "post": "submit", "put": "submit", "delete": "submit"}
READ: Mapping[str, Need] = {"get": "read", "post": "read"}
ADMIN: Mapping[str, Need] = {"get": "admin", "post": "admin"}
OPERATOR: Mapping[str, Need] = {"get": "operator", "post": "operator"}
OPEN: Mapping[str, Need] = {"get": "nothing", "post": "nothing"}


@dataclass(frozen=True, slots=True)
class Jobs:
    """The handlers for jobs that were accepted."""

    listing: Listing
    reruns: Reruns
    results: Results
    erasing: Erasing
    allowed: Allowed
    bulk: Bulk


@dataclass(frozen=True, slots=True)
class Route:
    """A path, what answers its methods, and what they need of a key.

    `sends`: its POST and PUT take new jobs; `told`: it is described, and not another spelling of what is.
    """

    path: str
    name: str
    methods: dict[str, Handler]
    cors: bool = False
    needs: Mapping[str, Need] = field(default_factory=lambda: USUAL)
    sends: bool = False
    told: bool = True


def routes(
    app: faust.App,
    settings: Settings,
    api: Api,
    probes: Probes,
    operators: Operators,
    pages: PageViews,
    jobs: Jobs,
    streams: Streams,
    keyring: Keyring,
    limits: Limits,
) -> None:
    """Register every view, and the middlewares: what they raise becomes answers, and keys are asked for."""
    server = cast(Web, app.web)
    server.blueprints = BlueprintManager()  # none of Faust's own pages: they show what runs here to whoever asks
    described = _jobs(jobs, api) + _api(api) + _streams(streams) + _probes(probes) + _operators(operators)
    document = describe(list(_calls(described)), body_schemas(api.registry))
    every = described + _described(document, pages) + _pages(pages)
    every += _login(LoginViews(keyring, pages.pages, settings.link_base))
    guard = access(keyring, limits, _needs(every), _sending(every), settings.link_base)
    server.web_app.middlewares.extend((problems(pages.problem), guard))
    cors = {origin: _cors() for origin in settings.cors_origins}
    for route in every:
        app.page(route.path, name=route.name, cors_options=cors if route.cors else None)(_view(route))
        # Faust leaves HEAD out where it sets up CORS
        if route.cors and "get" in route.methods and "head" not in route.methods:
            server.web_app.router.add_route("HEAD", route.path, _plain(route.methods["get"]))


def _api(api: Api) -> list[Route]:
    return [
        Route(
            "/v1/jobs/{job_id}",
            "job",
            {"get": api.get_job, "put": api.put_job, "delete": api.cancel_job},
            cors=True,
            sends=True,
        ),
        Route("/v1/notifications", "notifications", {"get": api.list_notifications}, cors=True),
        Route("/v1/notifications/{line}/read", "read", {"post": api.read_notification}, cors=True, needs=READ),
        Route("/v1/tasks", "tasks", {"get": api.list_tasks}, cors=True),
        Route("/v1/agents", "agents", {"get": api.list_agents}, cors=True, needs=ADMIN),
        Route("/kafka/pushToConsumers", "push", {"post": api.push(legacy_submission)}, cors=True, sends=True),
    ]


def _jobs(jobs: Jobs, api: Api) -> list[Route]:
    results = jobs.results
    return [
        # before what takes any id
        Route("/v1/jobs/cancel", "cancel-jobs", {"post": jobs.bulk.cancel_jobs}, needs=ADMIN),
        Route("/v1/jobs/retry", "retry-jobs", {"post": jobs.bulk.retry_jobs}, needs=ADMIN),
        Route("/v1/audit", "audit", {"get": jobs.bulk.list_audit}, needs=ADMIN),
        Route("/v1/jobs", "jobs", {"get": jobs.listing.list_jobs, "post": api.create_job}, cors=True, sends=True),
        Route("/v1/limits", "limits", {"get": jobs.allowed.get_limits}, cors=True),
        Route("/v1/jobs/{job_id}/retry", "retry", {"post": jobs.reruns.retry_job}, cors=True),
        Route("/v1/jobs/{job_id}/data", "data", {"delete": jobs.erasing.delete_data}, cors=True),
        Route("/v1/jobs/{job_id}/report", "report", {"get": results.get_report}, cors=True),
        Route("/v1/jobs/{job_id}/report.{suffix}", "report-as", {"get": results.get_report}, cors=True, told=False),
        Route("/v1/jobs/{job_id}/partial", "partial", {"get": results.get_partial}, cors=True),
        Route("/v1/jobs/{job_id}/plot", "plot", {"get": results.get_plot}, cors=True),
        Route("/v1/jobs/{job_id}/attachments/{position}", "attachment", {"get": results.get_attachment}, cors=True),
    ]


def _streams(streams: Streams) -> list[Route]:
    """HEAD has handlers of its own: it must not open a stream."""
    of_job = {"get": streams.job_events, "head": streams.head_of_job}
    of_tenant = {"get": streams.tenant_events, "head": streams.head}
    of_inbox = {"get": streams.inbox_events, "head": streams.head}
    return [
        Route("/v1/jobs/{job_id}/events", "job-events", of_job, cors=True),
        Route("/v1/events", "events", of_tenant, cors=True),
        Route("/v1/notifications/stream", "inbox-stream", of_inbox, cors=True),
    ]


def _probes(probes: Probes) -> list[Route]:
    return [
        Route("/healthz", "health", {"get": probes.health}, needs=OPEN),
        Route("/readyz", "ready", {"get": probes.ready}, needs=OPEN),
        Route("/metrics", "metrics", {"get": probes.metrics}, needs=OPERATOR),
    ]


def _operators(operators: Operators) -> list[Route]:
    return [
        Route("/v1/dead-letters", "dead-letters", {"get": operators.list_letters}, needs=ADMIN),
        Route("/v1/dead-letters/redrive", "redrive-letters", {"post": operators.redrive_letters}, needs=ADMIN),
        Route("/v1/dead-letters/discard", "discard-letters", {"post": operators.discard_letters}, needs=ADMIN),
        Route(r"/v1/dead-letters/{letter:\d+}", "dead-letter", {"get": operators.show_letter}, needs=ADMIN),
        Route(
            r"/v1/dead-letters/{letter:\d+}/redrive", "redrive-letter", {"post": operators.redrive_letter}, needs=ADMIN
        ),
        Route(
            r"/v1/dead-letters/{letter:\d+}/discard", "discard-letter", {"post": operators.discard_letter}, needs=ADMIN
        ),
        Route("/v1/deliveries/parked", "parked", {"get": operators.list_parked}, needs=ADMIN),
        Route("/v1/deliveries/{delivery}/{how}", "settle", {"post": operators.settle}, needs=ADMIN),
    ]


def _described(document: Mapping[str, Any], pages: PageViews) -> list[Route]:
    return [
        Route("/openapi.json", "openapi", {"get": served(document)}, cors=True),
        Route("/docs", "docs", {"get": pages.docs(document)}),
    ]


def _pages(pages: PageViews) -> list[Route]:
    return [
        Route("/", "home-page", {"get": pages.home}),
        Route("/jobs/{job_id}", "job-page", {"get": pages.job}),
        Route("/inbox", "inbox-page", {"get": pages.inbox}),
        Route("/agents", "agents-page", {"get": pages.agents}, needs=ADMIN),
        Route("/assets/{name}", "asset", {"get": pages.asset}, needs=OPEN),
        Route("/ui/jobs", "submit", {"post": pages.submit}, sends=True),
        Route("/ui/jobs/{job_id}/cancel", "cancel", {"post": pages.cancel}),
        Route("/ui/jobs/{job_id}/retry", "retry-page", {"post": pages.retry}),
        Route("/ui/notifications/{line}/read", "read-page", {"post": pages.read}, needs=READ),
    ]


def _login(login: LoginViews) -> list[Route]:
    return [
        Route("/login", "login", {"get": login.show, "post": login.log_in}, needs=OPEN),
        Route("/logout", "logout", {"post": login.log_out}, needs=OPEN),
    ]


def _calls(routes: list[Route]) -> Iterator[Call]:
    for route in (route for route in routes if route.told):
        for method, handler in route.methods.items():
            if method == "head":
                continue  # as GET, without a body (RFC 9110, 9.3.2)
            need = route.needs[method]
            yield Call(route.path, method, handler, None if need == "nothing" else need)


def _needs(routes: list[Route]) -> Needs:
    return {
        (template_of(route.path), method.upper()): route.needs[method] for route in routes for method in route.methods
    }


def _sending(routes: list[Route]) -> set[tuple[str, str]]:
    return {(template_of(route.path), method) for route in routes if route.sends for method in ("POST", "PUT")}


class _View(View):
    """Faust's view without its sensors, which nobody reads: they cost as much as routing does."""

    async def dispatch(self, request: Any) -> Any:
        """Call what answers the request's method."""
        try:
            return await self.methods[request.method.lower()](request, **request.match_info)
        except WebError as error:
            return await self.on_request_error(request, error)


def _view(route: Route) -> type[View]:
    """A Faust view whose methods call the route's handlers."""

    def method(handler: Handler) -> Any:
        async def call(self: View, request: Any, **match: str) -> Any:
            return await handler(request, **match)

        return call

    return type(route.name, (_View,), {name: method(handler) for name, handler in route.methods.items()})


def _plain(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler as aiohttp calls it."""

    async def call(request: web.Request) -> web.StreamResponse:
        return await handler(request, **request.match_info)

    return call


def _cors() -> Any:
    from faust.types.web import ResourceOptions

    return ResourceOptions(allow_credentials=False, expose_headers="*", allow_headers="*", allow_methods="*")
