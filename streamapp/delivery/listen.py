"""A receiver for developers, on this machine: it checks what comes as a good receiver does, and shows it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from streamapp.delivery.signing import BadSignature, verify

__all__ = ["HOST", "Received", "listening", "shown"]

HOST = "127.0.0.1"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One post: `wrong` says what is wrong with it, None when it is what was sent; `times` counts it by its id."""

    identity: str
    body: bytes
    wrong: str | None
    times: int

    @property
    def event(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@asynccontextmanager
async def listening(
    port: int, secrets: Callable[[], Sequence[str]], show: Callable[[Received], None], status: int = 204
) -> AsyncIterator[int]:
    """Take posts on that port, 0 for any that is free; gives the port. `secrets` is asked each time: they change.

    What is signed well is answered `status`, anything else 401. Raises OSError when the port is taken.
    """
    times: Counter[str] = Counter()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        identity = headers.get("webhook-id", "")
        times[identity] += 1
        try:
            verify(secrets(), headers, body, time.time())
        except BadSignature as error:
            show(Received(identity, body, str(error), times[identity]))
            return web.Response(status=401)
        show(Received(identity, body, None, times[identity]))
        return web.Response(status=status)

    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def shown(received: Received) -> str:
    """What a person is told of one post, in ASCII: it may come from anybody."""
    again = f", for the {received.times}. time" if received.times > 1 else ""
    verdict = "signature ok" if received.wrong is None else f"REFUSED: {received.wrong}"
    event = received.event
    body = repr(received.body[:1000]) if event is None else json.dumps(event, indent=2)
    return f"webhook {ascii(received.identity)[1:-1]}{again}: {verdict}\n{body}"
