"""The Faust web views' routes. Each view is thin: read the request, call, answer; errors become problem documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import faust
from aiohttp import web
from faust.web import View
from faust.web.drivers.aiohttp import Web
from faust.web.exceptions import WebError

from streamapp.intake.http import Api
from streamapp.intake.legacy import legacy_submission
from streamapp.intake.operators import Operators
from streamapp.intake.probes import Probes
from streamapp.intake.problems import problems
from streamapp.intake.streams import Streams
from streamapp.settings import Settings
from streamapp.ui.views import PageViews

__all__ = ["routes"]

Handler = Callable[..., Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, and what answers its methods."""

    path: str
    name: str
    methods: dict[str, Handler]
    cors: bool = False


def routes(
    app: faust.App,
    settings: Settings,
    api: Api,
    probes: Probes,
    operators: Operators,
    pages: PageViews,
    streams: Streams,
) -> None:
    """Register every view, and the middleware that turns what they raise into answers."""
    server = cast(Web, app.web)
    server.web_app.middlewares.append(problems(pages.problem))
    cors = {origin: _cors() for origin in settings.cors_origins}
    for route in _api(api) + _streams(streams) + _probes(probes) + _operators(operators) + _pages(pages):
        app.page(route.path, name=route.name, cors_options=cors if route.cors else None)(_view(route))
        if (
            route.cors and "get" in route.methods and "head" not in route.methods
        ):  # Faust leaves HEAD out where it sets up CORS
            server.web_app.router.add_route("HEAD", route.path, _plain(route.methods["get"]))


def _api(api: Api) -> list[Route]:
    return [
        Route("/v1/jobs", "jobs", {"get": api.list_jobs, "post": api.create_job}, cors=True),
        Route(
            "/v1/jobs/{job_id}", "job", {"get": api.get_job, "put": api.put_job, "delete": api.cancel_job}, cors=True
        ),
        Route("/v1/jobs/{job_id}/plot", "plot", {"get": api.get_plot}, cors=True),
        Route("/v1/jobs/{job_id}/attachments/{position}", "attachment", {"get": api.get_attachment}, cors=True),
        Route("/v1/notifications", "notifications", {"get": api.list_notifications}, cors=True),
        Route("/v1/notifications/{line}/read", "read", {"post": api.read_notification}, cors=True),
        Route("/v1/tasks", "tasks", {"get": api.list_tasks}, cors=True),
        Route("/v1/agents", "agents", {"get": api.list_agents}, cors=True),
        Route("/kafka/pushToConsumers", "push", {"post": api.push(legacy_submission)}, cors=True),
    ]


def _streams(streams: Streams) -> list[Route]:
    """HEAD has handlers of its own: it must not open a stream."""
    return [
        Route(
            "/v1/jobs/{job_id}/events", "job-events", {"get": streams.of_job, "head": streams.head_of_job}, cors=True
        ),
        Route("/v1/events", "events", {"get": streams.of_tenant, "head": streams.head}, cors=True),
        Route("/v1/notifications/stream", "inbox-stream", {"get": streams.of_inbox, "head": streams.head}, cors=True),
    ]


def _probes(probes: Probes) -> list[Route]:
    return [
        Route("/healthz", "health", {"get": probes.health}),
        Route("/readyz", "ready", {"get": probes.ready}),
        Route("/metrics", "metrics", {"get": probes.metrics}),
    ]


def _operators(operators: Operators) -> list[Route]:
    return [
        Route("/v1/dead-letters", "dead-letters", {"get": operators.list_letters}),
        Route("/v1/dead-letters/redrive", "redrive-letters", {"post": operators.redrive_letters}),
        Route("/v1/dead-letters/discard", "discard-letters", {"post": operators.discard_letters}),
        Route("/v1/dead-letters/{letter}", "dead-letter", {"get": operators.show_letter}),
        Route("/v1/dead-letters/{letter}/redrive", "redrive-letter", {"post": operators.redrive_letter}),
        Route("/v1/dead-letters/{letter}/discard", "discard-letter", {"post": operators.discard_letter}),
        Route("/v1/deliveries/parked", "parked", {"get": operators.list_parked}),
        Route("/v1/deliveries/{delivery}/{how}", "settle", {"post": operators.settle}),
    ]


def _pages(pages: PageViews) -> list[Route]:
    return [
        Route("/", "home-page", {"get": pages.home}),
        Route("/jobs/{job_id}", "job-page", {"get": pages.job}),
        Route("/inbox", "inbox-page", {"get": pages.inbox}),
        Route("/agents", "agents-page", {"get": pages.agents}),
        Route("/assets/{name}", "asset", {"get": pages.asset}),
        Route("/ui/jobs", "submit", {"post": pages.submit}),
        Route("/ui/jobs/{job_id}/cancel", "cancel", {"post": pages.cancel}),
        Route("/ui/notifications/{line}/read", "read-page", {"post": pages.read}),
    ]


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
