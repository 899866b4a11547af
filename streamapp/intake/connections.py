"""What comes before any handler: silence, what is no HTTP, and expectations that nobody meets.

aiohttp answers by itself what it can't read, in plain text, and logs a traceback for each: a client that understands
problem documents would not understand this one, and whoever sends garbage would fill the disk. It waits an hour for a
request to come, and as long for the rest of one that began. And it meets `Expect` before any middleware, where one that
is no text is a 500.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from streamapp.intake.problems import NOT_PACKED_SO, problem_response
from streamapp.intake.refusal import Refused

__all__ = ["IDLE_S", "Runner", "TheirFault"]

LACKS_LIBRARY = "Please install"
TAKEN_ENCODINGS = "Send the body as it is, or in gzip or deflate; no other Content-Encoding is taken."
IDLE_S = 75.0  # more than proxies keep connections for, as nginx does for 60

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class TheirFault(logging.Filter):
    """Lets pass what a client did wrong only where debug messages are wanted."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | web.RequestPayloadError):
            return True
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


THEIR_FAULT = TheirFault()


class _Protocol(web.RequestHandler):
    """Answers what can't be read as everything else that is refused: with a problem document (RFC 9457)."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As aiohttp's, which logs; the connection ends with the answer."""
        answer = super().handle_error(request, status, exc, message)
        if isinstance(exc, HttpProcessingError):
            answer = problem_response(_refused(status, exc))
            answer.force_close()
        return answer


class _Server(web.Server):
    """Speaks it on each connection."""

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application. A connection on which no whole head has come for `idle_s` seconds is closed."""

    def __init__(self, application: web.Application, idle_s: float = IDLE_S) -> None:
        super().__init__(application, access_log=None, keepalive_timeout=idle_s)

    async def setup(self) -> None:
        """Begin."""
        logging.getLogger("aiohttp.server").addFilter(THEIR_FAULT)
        await super().setup()
        assert self.server is not None
        self.server.request_handler = _looked_at(self.server.request_handler)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs)


def _looked_at(handler: Handler) -> Handler:
    """The same, after a look at what the client expects (RFC 9110, 10.1.1), and at how long it says that its body is.

    Two lengths may be read in two ways, by a proxy and by us, and what one takes for a body is a request to the other:
    such a connection ends (RFC 9112, 6.1 and 11.2). aiohttp refuses most, and not an empty Transfer-Encoding.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if {"Transfer-Encoding", "Content-Length"} <= request.headers.keys():
            response = problem_response(Refused(400, "Transfer-Encoding and Content-Length contradict each other."))
            response.force_close()
            return response
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return problem_response(Refused(417, "Expect: 100-continue is all that can be expected.", field="Expect"))
        return await handler(request)

    return handle


def _refused(status: int, error: HttpProcessingError) -> Refused:
    if isinstance(error, LineTooLong):
        detail = "The address with its query, or a header field, is longer than this server reads: send less in it."
        return Refused(status, detail)
    if isinstance(error, ContentEncodingError):
        if LACKS_LIBRARY in error.message:  # an encoding that it knows, and can't undo here
            return Refused(415, TAKEN_ENCODINGS, field="Content-Encoding")
        return Refused(status, NOT_PACKED_SO, field="body")
    return Refused(status, f"This can't be read as HTTP/1.1: {error.message.splitlines()[0].rstrip(':')}.")
