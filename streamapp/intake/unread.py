"""Writes refuse what is in their query and nobody reads: a filter that is overlooked there would mean everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel

from streamapp.intake.operation import JSON, Operation, operation_of
from streamapp.intake.refusal import Refused

__all__ = ["careful"]

WRITES = ("post", "put", "delete")
OURS = "/v1/"  # the pages' forms have addresses of their own, and the old path takes what its clients send

Handler = Callable[..., Awaitable[web.StreamResponse]]


def careful(path: str, method: str, handler: Handler) -> Handler:
    """The handler; of the API's writes, one that refuses a query with 422, unless it reads one itself."""
    told = operation_of(handler)
    if method not in WRITES or not path.startswith(OURS) or told is None or told.beside or told.query is not None:
        return handler
    instead = _instead(told)

    async def call(request: web.Request, **match: str) -> web.StreamResponse:
        for name in request.query:
            raise Refused(422, f"{name}: this call takes nothing in its query{instead}.", field=name)
        return await handler(request, **match)

    return call


def _instead(told: Operation) -> str:
    body = told.bodies.get(JSON)
    if not isinstance(body, type) or not issubclass(body, BaseModel):
        return ""
    return f"; what it takes goes into its body, as JSON: {', '.join(sorted(body.model_fields))}"
