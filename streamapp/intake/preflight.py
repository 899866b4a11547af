"""The CORS policy on the worker's own web views: preflights get routes, and every answer is marked as it leaves.

Faust brings aiohttp_cors for this. That says nothing of `Vary`, leaves out the answers for paths that are not there,
and takes HEAD away from each path that it is told of; a signal of aiohttp's reaches streams and errors alike.
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import hdrs, web

from streamapp.intake.cors import ASKS, ORIGIN, Cors
from streamapp.intake.refusal import Refused

__all__ = ["answer_preflights", "mark_answers", "preflight"]

API = ("/v1/", "/kafka/")


def preflight(cors: Cors, origin: str | None, asks: str | None, methods: Collection[str]) -> web.Response:
    """The answer to OPTIONS on a path with these methods. Raises `Refused`, and aiohttp's own when it asks nothing."""
    if asks is None:
        raise web.HTTPMethodNotAllowed("OPTIONS", sorted(methods))
    granted = cors.grants(origin, methods)
    if granted is None:
        raise Refused(403, "Pages of this origin may not call from a browser; see STREAMAPP_CORS_ORIGINS.")
    return web.Response(status=204, headers=granted)


def answer_preflights(application: web.Application, cors: Cors, path: str, methods: Collection[str]) -> None:
    """Add the route for a path with these methods."""

    async def options(request: web.Request) -> web.Response:
        return preflight(cors, request.headers.get(ORIGIN), request.headers.get(ASKS), methods)

    application.router.add_route(hdrs.METH_OPTIONS, path, options)


def mark_answers(application: web.Application, cors: Cors, templates: Collection[str]) -> None:
    """Have each answer marked at the paths of these templates, and for paths of the API that are not there."""

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        resource = request.match_info.route.resource
        if resource.canonical in templates if resource is not None else request.path.startswith(API):
            cors.mark(response.headers, request.headers.get(ORIGIN))

    if cors:
        application.on_response_prepare.append(mark)
