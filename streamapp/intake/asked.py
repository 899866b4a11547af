"""What the intake looks at of a request: aiohttp's has it, and so has one that came over WSGI.

Whatever takes work asks for no more than this, so that it answers both; mypy keeps it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from aiohttp import MultipartReader, web
from multidict import MultiMapping

__all__ = ["Asked", "Content"]

T = TypeVar("T")


class Content(Protocol):
    """A body while it comes in, after decompression."""

    def is_eof(self) -> bool:
        """Whether no more of it is to come; what has come may still be unread."""

    async def readany(self) -> bytes:
        """What comes next; nothing at its end."""


class Asked(Protocol):
    """A request."""

    @property
    def method(self) -> str:
        """In capitals."""

    @property
    def path(self) -> str:
        """Decoded."""

    @property
    def host(self) -> str:
        """As the client calls this server."""

    @property
    def headers(self) -> MultiMapping[str]:
        """By their names, whatever their case."""

    @property
    def query(self) -> MultiMapping[str]:
        """Decoded."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """Those that count."""

    @property
    def match_info(self) -> Mapping[str, str]:
        """What the route found in the path."""

    @property
    def content_type(self) -> str:
        """Without parameters; ``application/octet-stream`` where nothing is said."""

    @property
    def content_length(self) -> int | None:
        """Bytes that are announced, before decompression."""

    @property
    def client_max_size(self) -> int:
        """Bytes that a body may have, but for a document in it."""

    @property
    def content(self) -> Content:
        """The body."""

    @property
    def transport(self) -> object:
        """None once the client is known to be gone."""

    def get(self, key: web.RequestKey[T], default: T, /) -> T:
        """What was noted of it, such as who asks."""

    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None:
        """Note something of it."""

    async def read(self) -> bytes:
        """All of the body. Raises aiohttp's own when it is too large."""

    async def multipart(self) -> MultipartReader:
        """The body as a form. Raises ValueError and AssertionError where it is none."""
