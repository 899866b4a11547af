"""Files that are sent from an event loop: each piece is read in a thread, so that a slow disk holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx

__all__ = ["in_threads"]


class _InThreads(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = iter(self._stream)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


def in_threads(request: httpx.Request) -> httpx.Request:
    """The same request, whose body is read in threads."""
    assert isinstance(request.stream, httpx.SyncByteStream)
    stream = _InThreads(request.stream)
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=stream, extensions=request.extensions
    )
