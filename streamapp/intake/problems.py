"""What a view raises, as an answer: a problem document for programs, a page for people, and never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError
from aiohttp.typedefs import Middleware

from streamapp.errors import StoreUnavailable
from streamapp.intake.asked import Asked
from streamapp.intake.caller import LEFT
from streamapp.intake.refusal import Refused
from streamapp.resources import Problem

__all__ = ["NOT_PACKED_SO", "as_refused", "problem_response", "problems"]

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[[web.Request, Problem], Awaitable[web.StreamResponse]]

API = ("/v1/", "/kafka/", "/healthz", "/readyz", "/metrics", "/openapi.json")
STORE_RETRY_S = 5
NOT_PACKED_SO = "The body can't be read: it is not compressed as its Content-Encoding says, or not whole."


def problems(page: Page) -> Middleware:
    """The middleware. `page` shows a problem to people."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRedirection:
            raise
        except Exception as error:
            if isinstance(error, ConnectionError) and _is_gone(request):
                return web.Response(status=400)  # to nobody: aiohttp logs as a fault of ours what is raised
            refused, headers = as_refused(request, error)
        headers = {**request.get(LEFT, {}), **headers}
        if request.path.startswith(API) or "text/html" not in request.headers.get("Accept", ""):
            return problem_response(refused, headers)
        response = await page(request, refused.problem)
        response.headers.update(headers)
        return response

    return middleware


def problem_response(refused: Refused, headers: dict[str, str] | None = None) -> web.Response:
    """The problem document (RFC 9457)."""
    problem = refused.problem
    response = web.Response(
        text=problem.model_dump_json(), status=problem.status, content_type="application/problem+json", headers=headers
    )
    if refused.retry_after_s is not None:
        response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def as_refused(request: Asked, error: Exception) -> tuple[Refused, dict[str, str]]:
    """The refusal that an error is, and headers to send with it; what nobody foresaw is logged and becomes a 500."""
    if isinstance(error, Refused):
        return error, error.headers
    if isinstance(error, StoreUnavailable):
        logger.error("%s", error)
        detail = "The store can't be used right now; nothing was accepted. Try again."
        return Refused(503, detail, retry_after_s=STORE_RETRY_S), {}
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        most = request.client_max_size
        detail = (
            f"The body is larger than {most} bytes after decompression. A large document goes in a form, or by itself."
        )
        return Refused(413, detail, field="body"), {}
    if isinstance(error, web.HTTPException):
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return Refused(error.status, _words(error.status, request)), allowed
    if isinstance(error, ContentEncodingError) or isinstance(error.__cause__, ContentEncodingError):
        return Refused(400, NOT_PACKED_SO, field="body"), {}
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return Refused(400, f"The body can't be read: {str(error) or type(error).__name__}.", field="body"), {}
    logger.exception("%s %s raised", request.method, request.path)
    return Refused(500, "This is a fault of ours; it has been logged."), {}


def _words(status: int, request: Asked) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return f"There is nothing at {request.path}."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible at {request.path}."
    return HTTPStatus(status).description or HTTPStatus(status).phrase
