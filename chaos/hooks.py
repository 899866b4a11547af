"""A receiver of webhooks that is as unreliable as receivers are, and never forgets one that it got.

Now and then it answers 503, or takes one and breaks off without an answer. It is in the driver, which lives on.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from aiohttp import web

__all__ = ["FaultyHooks", "Posted"]

HOST = "127.0.0.1"
REFUSED, BROKEN = 0.1, 0.05


@dataclass(frozen=True, slots=True)
class Posted:
    """A webhook that the receiver kept."""

    id: str
    job: str
    event: str  # job.succeeded, …


class FaultyHooks:
    """The server."""

    def __init__(self, chance: random.Random) -> None:
        self.taken: list[Posted] = []
        self.port = 0
        self._chance = chance
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """What jobs name."""
        return f"http://{HOST}:{self.port}/"

    async def start(self) -> None:
        """Listen, on a port that the system chooses."""
        self._runner = web.ServerRunner(web.Server(self._take), shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.read())
        fate = self._chance.random()
        if fate < REFUSED:
            return web.Response(status=503)
        self.taken.append(Posted(request.headers["webhook-id"], body["data"]["id"], body["type"]))
        if fate < REFUSED + BROKEN and request.transport is not None:
            request.transport.abort()
        return web.Response(status=204)
