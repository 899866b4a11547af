"""A body must go on coming: who dribbles would otherwise hold a connection, memory and a place for ever.

Only the time in which we wait for the client counts for its pace; how long we took to keep a piece is not its fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from aiohttp import web

from streamapp.intake.asked import Asked
from streamapp.intake.refusal import Refused

__all__ = ["Pace", "read_whole"]

T = TypeVar("T")

STRETCH_BYTES = 64 * 1024
A_FEW_FIELDS_S = 60.0
STRETCH_S = 30.0  # for each such stretch: some 2 KiB a second, which any line has


class Pace:
    """The clock of one body. `total_s` is the longest that it may take altogether."""

    def __init__(self, total_s: float, stretch_s: float = STRETCH_S) -> None:
        self._total_s = total_s
        self._stretch_s = stretch_s
        self._end = time.monotonic() + total_s
        self._waited = 0.0
        self._came = 0

    async def wait(self, read: Awaitable[T]) -> T:
        """What the client sends next. Raises `Refused` with 408 when it takes too long."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(self._end - began, self._stretch_s - self._waited))):
                found = await read
        except TimeoutError as error:
            raise self._too_slow() from error
        self._waited += time.monotonic() - began
        return found

    def took(self, began: float) -> None:
        """A wait that began then, by the monotonic clock, is over. Raises `Refused` with 408 when it was too long."""
        now = time.monotonic()
        self._waited += now - began
        if now > self._end or self._waited > self._stretch_s:
            raise self._too_slow()

    def came(self, size: int) -> None:
        """So many bytes of it were read."""
        self._came += size
        if self._came >= STRETCH_BYTES:
            self._came, self._waited = 0, 0.0

    def _too_slow(self) -> Refused:
        return Refused(
            408,
            f"The body came too slowly: each {STRETCH_BYTES} bytes may take {self._stretch_s:g} seconds, and all of it "
            f"{self._total_s:g}. Nothing was accepted.",
            field="body",
        )

    async def pieces(self, request: Asked) -> AsyncIterator[bytes]:
        """The body as it comes in, after decompression."""
        while piece := await self.wait(request.content.readany()):
            self.came(len(piece))
            yield piece


async def read_whole(request: Asked, total_s: float = A_FEW_FIELDS_S, pace: type[Pace] = Pace) -> bytes:
    """A body that is small enough to be held. Raises `Refused` with 408, and aiohttp's own when it is too large."""
    if request.content.is_eof():
        return await request.read()  # it is here already, as most are
    body = bytearray()
    async for piece in pace(total_s).pieces(request):
        body += piece
        if len(body) > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size)
    return bytes(body)
