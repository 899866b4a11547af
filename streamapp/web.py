"""The Faust web views, made of the routes; errors become problem documents, and keys are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import faust
from aiohttp import web
from faust.web import View
from faust.web.base import BlueprintManager
from faust.web.drivers.aiohttp import Web
from faust.web.exceptions import WebError

from streamapp.intake.access import Need, Needs, access
from streamapp.intake.bodies import body_schemas
from streamapp.intake.connections import Runner
from streamapp.intake.cors import Cors
from streamapp.intake.http import Api
from streamapp.intake.keyring import Keyring
from streamapp.intake.limits import Limits
from streamapp.intake.openapi import Call, describe, template_of
from streamapp.intake.operators import Operators
from streamapp.intake.preflight import answer_preflights, mark_answers
from streamapp.intake.probes import Probes
from streamapp.intake.problems import problems
from streamapp.intake.streams import Streams
from streamapp.intake.unread import careful
from streamapp.paths import Handler, Jobs, Route, api_routes, page_routes
from streamapp.settings import Settings
from streamapp.ui.login import LoginViews
from streamapp.ui.views import PageViews

__all__ = ["Jobs", "routes"]


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
    server._runner = Runner(server.web_app)
    server.blueprints = BlueprintManager()  # none of Faust's own pages: they show what runs here to whoever asks
    described = api_routes(api, jobs, streams, probes, operators)
    document = describe(list(_calls(described)), body_schemas(api.registry))
    every = described + page_routes(pages, LoginViews(keyring, pages.pages, settings.link_base), document)
    origins = settings.cors_origins if settings.is_local else None
    guard = access(keyring, limits, _needs(every), _sending(every), settings.link_base, origins)
    server.web_app.middlewares.extend((problems(pages.problem), guard))
    for route in every:
        app.page(route.path, name=route.name)(_view(route))
    _open_to_pages(server.web_app, Cors(settings.cors_origins), every)


def _open_to_pages(application: web.Application, cors: Cors, routes: list[Route]) -> None:
    """Pages of other sites may call some of these, as the settings say. All answer OPTIONS: one path takes any id."""
    for route in routes:
        methods = [name.upper() for name in route.methods]
        answer_preflights(application, cors if route.cors else Cors(()), route.path, methods)
    mark_answers(application, cors, {template_of(route.path) for route in routes if route.cors})


def _calls(routes: list[Route]) -> Iterator[Call]:
    for route in (route for route in routes if route.told):
        for method, handler in route.methods.items():
            if method == "head":
                continue  # as GET, without a body (RFC 9110, 9.3.2)
            need = route.needs[method]
            yield Call(route.path, method, handler, None if need == "nothing" else need)


def _needs(routes: list[Route]) -> Needs:
    asking: dict[tuple[str, str], Need] = {(template_of(route.path), "OPTIONS"): "key" for route in routes}
    return asking | {
        (template_of(route.path), method.upper()): route.needs[method] for route in routes for method in route.methods
    }


def _sending(routes: list[Route]) -> set[tuple[str, str]]:
    return {(template_of(route.path), method) for route in routes if route.sends for method in ("POST", "PUT")}


class _View(View):
    """Faust's view without its sensors, which nobody reads: they cost as much as routing does."""

    def get_methods(self) -> set[str]:
        """What it answers: HEAD only where there is something to GET, which Faust takes for granted."""
        methods = super().get_methods()
        return methods if "GET" in methods else methods - {"HEAD"}

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

    calls = {name: method(careful(route.path, name, handler)) for name, handler in route.methods.items()}
    return type(route.name, (_View,), calls)
