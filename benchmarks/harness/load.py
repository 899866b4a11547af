"""Load: as many requests as a service accepts, or requests at fixed times whatever the service does.

The closed loop speaks HTTP/1.1 itself over plain streams, because on two cores a full client would cost more than the
service that is measured.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

__all__ = ["Shot", "accepted_per_second", "open_loop", "post_all"]

LONGEST_S = 120.0


async def accepted_per_second(
    url: str, make: Callable[[], bytes], connections: int, seconds: float, key: str = ""
) -> float:
    """Requests a second that are answered with 2xx, over that many connections, each with one at a time.

    Each sends the API `key`, if there is one. Raises RuntimeError for any other answer.
    """
    end = time.monotonic() + seconds
    started = time.monotonic()
    counts = await asyncio.gather(*(_keep_posting(url, make, end, key) for _ in range(connections)))
    return sum(counts) / (time.monotonic() - started)


async def post_all(url: str, bodies: Sequence[bytes], connections: int) -> None:
    """Post each body once, as fast as it goes over that many connections."""
    left = iter(bodies)

    async def work() -> None:
        connection = _Connection(url)
        for body in left:
            await connection.post(body)
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))


@dataclass(frozen=True, slots=True)
class Shot:
    """A request of an open loop: when it was due and when it was answered (seconds, monotonic), and the answer."""

    due: float
    answered: float
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def latency_s(self) -> float:
        """From when it was due, not from when it was sent: a stalled service delays what comes after, too."""
        return self.answered - self.due


async def open_loop(
    url: str, bodies: Sequence[Mapping[str, Any] | bytes], rate: float, headers: Mapping[str, str] | None = None
) -> list[Shot]:
    """Post the bodies at `rate` a second. Raises `aiohttp.ClientError` for an answer that is no success."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=LONGEST_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:
        start = time.monotonic() + 0.05

        async def shoot(number: int, body: Mapping[str, Any] | bytes) -> Shot:
            due = start + number / rate
            packed = body if isinstance(body, bytes) else json.dumps(body).encode()
            await asyncio.sleep(due - time.monotonic())
            async with session.post(url, data=packed, headers=sent) as response:
                answer = await response.read()
                return Shot(due, time.monotonic(), json.loads(answer))

        return list(await asyncio.gather(*itertools.starmap(shoot, enumerate(bodies))))


async def _keep_posting(url: str, make: Callable[[], bytes], end: float, key: str) -> int:
    connection = _Connection(url, key)
    count = 0
    while time.monotonic() < end:
        await connection.post(make())
        count += 1
    connection.close()
    return count


class _Connection:
    """One connection that is kept open, and opened anew when the service has closed it."""

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname, parts.port)
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        if key:
            head += f"Authorization: Bearer {key}\r\n"
        self._head = head.encode() + b"Content-Length: "
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> None:
        """Raises RuntimeError when the answer is no 2xx."""
        request = self._head + str(len(body)).encode() + b"\r\n\r\n" + body
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length:")
        content = await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
        if head.split(b" ", 2)[1][:1] != b"2":
            raise RuntimeError(f"{self._place}: {head[:100]!r} {content[:500]!r}")
        if b"connection: close" in head:
            self.close()

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
