"""A request that came over WSGI (PEP 3333), as the intake looks at requests, and its answers for Flask.

Headers and the query are decoded as aiohttp decodes them, so that both intakes say the same of what is odd in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

import flask
from aiohttp import MultipartReader, web
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from streamapp.intake.coming import Coming

__all__ = ["WsgiRequest", "as_flask"]

UNNAMED = "application/octet-stream"

T = TypeVar("T")


class WsgiRequest:
    """Flask's request as an `Asked`. A body may have `client_max_size` bytes, but for a document in it.

    It has no cookies: those of a login belong to streamapp's own pages, and programs send their key in a header.
    """

    transport = object()  # whether the client is still there, WSGI does not say

    def __init__(self, request: flask.Request, match_info: Mapping[str, str], client_max_size: int) -> None:
        self.method = request.method
        self.path = request.path
        self.base = request.script_root + request.path.rpartition("/v1/jobs")[0]  # what the site has put before ours
        self.host = request.host
        self.cookies: Mapping[str, str] = {}
        self.match_info = match_info
        self.client_max_size = client_max_size
        self.headers: MultiMapping[str] = CIMultiDict(_headers(request.environ))
        self._query: str = request.environ.get("QUERY_STRING", "")
        self._length = request.content_length
        self._request = request
        self._noted: dict[web.RequestKey[Any], Any] = {}

    @cached_property
    def query(self) -> MultiMapping[str]:
        """Decoded."""
        return URL.build(path="/", query_string=self._query, encoded=True).query

    @cached_property
    def content_type(self) -> str:
        """Without parameters; of what is none, and where nothing is said, ``application/octet-stream``."""
        said = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return said if said.count("/") == 1 else UNNAMED

    @property
    def content_length(self) -> int | None:
        """Bytes that are announced, before decompression."""
        return self._length

    @cached_property
    def content(self) -> Coming:
        """The body."""
        return Coming(lambda size: self._request.stream.read(size), self.headers.get("Content-Encoding", "").lower())

    async def read(self) -> bytes:
        """All of the body. Raises aiohttp's own when it is too large."""
        body = bytearray()
        while piece := await self.content.readany():
            body += piece
            if len(body) > self.client_max_size:
                raise web.HTTPRequestEntityTooLarge(self.client_max_size)
        return bytes(body)

    async def multipart(self) -> MultipartReader:
        """The body as a form, read by aiohttp's own reader."""
        return MultipartReader(
            self.headers,
            self.content,  # type: ignore[arg-type]  # it has all that the reader calls
            client_max_size=self.client_max_size,
            max_size_error_cls=web.HTTPRequestEntityTooLarge,
        )

    def get(self, key: web.RequestKey[T], default: T, /) -> T:
        """What was noted of it, such as who asks."""
        return cast(T, self._noted.get(key, default))

    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None:
        self._noted[key] = value


def as_flask(response: web.StreamResponse) -> flask.Response:
    """An answer of a handler, as Flask sends it."""
    assert isinstance(response, web.Response)
    body = response.body
    assert body is None or isinstance(body, bytes | bytearray)
    made = flask.Response(bytes(body or b""), response.status, list(response.headers.items()))
    if "Content-Type" not in response.headers:
        del made.headers["Content-Type"]  # Flask says something where nothing is said
    return made


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """WSGI has bytes as Latin-1; aiohttp reads them as UTF-8, with what is none as halves of surrogate pairs."""
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            name = name.removeprefix("HTTP_")
        elif name not in ("CONTENT_TYPE", "CONTENT_LENGTH") or not value:
            continue
        yield name.replace("_", "-").title(), value.encode("latin-1").decode("utf-8", "surrogateescape")
