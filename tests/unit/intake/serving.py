"""Handlers behind a real HTTP server on a Unix socket, with the worker's own middleware and none of its broker."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, UnixConnector, web
from aiohttp.typedefs import Handler

from streamapp.intake.caller import CALLER, Caller
from streamapp.intake.problems import problem_response, problems
from streamapp.intake.refusal import Refused
from streamapp.resources import Problem

ANNA = Caller("anna", frozenset(("submit", "read")), "key-1")
BEN = Caller("ben", frozenset(("submit", "read")))
CHIEF = Caller("anna", frozenset(("submit", "read", "admin")), "key-2")
CALLERS = {"anna": ANNA, "ben": BEN, "chief": CHIEF}

#: A method, a path and what answers there.
Route = tuple[str, str, Callable[..., Awaitable[web.StreamResponse]]]


@asynccontextmanager
async def served(*routes: Route) -> AsyncIterator[ClientSession]:
    """A client of these handlers; the header `As` says who asks, anna if nothing does."""
    application = web.Application(middlewares=[problems(_page), _calling])
    for method, path, handler in routes:
        application.router.add_route(method, path, _plain(handler))
        if method == "GET":
            application.router.add_route("HEAD", path, _plain(handler))
    runner = web.AppRunner(application)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="streamapp-", dir="/tmp") as folder:  # a socket's path has 107 bytes
        socket = str(Path(folder) / "socket")
        await web.UnixSite(runner, socket).start()
        try:
            async with ClientSession("http://streamapp", connector=UnixConnector(socket)) as client:
                yield client
        finally:
            await runner.cleanup()


def _plain(handler: Callable[..., Awaitable[web.StreamResponse]]) -> Handler:
    async def call(request: web.Request) -> web.StreamResponse:
        return await handler(request, **request.match_info)

    return call


@web.middleware
async def _calling(request: web.Request, handler: Handler) -> web.StreamResponse:
    with warnings.catch_warnings(action="ignore"):  # aiohttp would rather have keys that are no text
        request[CALLER] = CALLERS[request.headers.get("As", "anna")]
    return await handler(request)


async def _page(request: web.Request, problem: Problem) -> web.StreamResponse:
    return problem_response(Refused(problem.status, problem.detail))
