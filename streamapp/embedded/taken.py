"""The web port before anything is started: whether it can be had, and who has it where it can't.

Often that is a streamapp, which somebody started before and forgot. Its description tells it, and where that needs a
key, the challenge for one does; its health would not, which others answer in the same words.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamapp.embedded import StartError, ports
from streamapp.embedded.api import base_url
from streamapp.errors import ConfigurationError, Transient

if TYPE_CHECKING:
    import httpx

__all__ = ["PortTaken", "is_streamapp", "refuse_taken"]

TITLE, CHALLENGE = "streamapp", 'realm="streamapp"'
ASKED_S = 3.0


class PortTaken(StartError, Transient):
    """Another process listens there; the message says which, and what helps."""


async def refuse_taken(host: str, port: int) -> None:
    """Raise `PortTaken`, or `ConfigurationError` for a host that is not of this machine."""
    try:
        free = ports.is_free(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"STREAMAPP_WEB_HOST: this machine can't listen on {host!r} ({error.strerror}); 127.0.0.1 always works."
        ) from error
    if not free:
        who, url = await asyncio.to_thread(ports.holder, port), base_url(host, port)
        if await is_streamapp(url):
            runs = f"a streamapp that already runs at {url}{f', {who}' if who else ''}: use that one, stop it"
            raise PortTaken(f"Port {port} is taken by {runs}, or set STREAMAPP_WEB_PORT to another port.")
        raise PortTaken(
            f"Port {port} is taken{f' by {who}' if who else ''}: stop that, or set STREAMAPP_WEB_PORT to another port."
        )


async def is_streamapp(url: str, transport: httpx.AsyncBaseTransport | None = None) -> bool:
    """Whether a worker of streamapp answers there. No key is shown to whoever it is."""
    import httpx  # a worker whose port is free has no use for it

    try:
        async with asyncio.timeout(ASKED_S), httpx.AsyncClient(trust_env=False, transport=transport) as client:
            answer = await client.get(f"{url}/openapi.json")
        if answer.status_code == 401:
            return CHALLENGE in answer.headers.get("WWW-Authenticate", "")
        return bool(answer.json()["info"]["title"] == TITLE)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, LookupError, TypeError):
        return False
