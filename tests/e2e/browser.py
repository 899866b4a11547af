"""A real browser for a test: Chromium without a window, told what to do over its own protocol (DevTools)."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

__all__ = ["Page", "browser", "found"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # as root, in containers, it starts with none; it only sees pages of ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)
TIMEOUT_S = 60.0


def found() -> str | None:
    """The browser of this machine, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab; without a session, the browser itself. Every wait has an end: TimeoutError."""

    def __init__(self, socket: ClientWebSocketResponse, session: str | None = None) -> None:
        self._socket = socket
        self._of = {} if session is None else {"sessionId": session}
        self._numbers = itertools.count(1)
        self._loads = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One call of the protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params, **self._of})
        while True:
            told = await self._told()
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    async def open(self, url: str) -> None:
        """Go there."""
        loads = self._loads
        await self.call("Page.navigate", url=url)
        await self.loaded(loads)

    async def loaded(self, before: int) -> None:
        """Wait for a page that came after so many others."""
        while self._loads == before:
            await self._told()

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def submit(self, script: str) -> None:
        """An expression that leads to another page, and that page."""
        loads = self._loads
        await self.run(script)
        await self.loaded(loads)

    async def _told(self) -> dict[str, Any]:
        message = await self._socket.receive(TIMEOUT_S)
        assert message.type is WSMsgType.TEXT, message
        told: dict[str, Any] = json.loads(message.data)
        if told.get("method") == "Page.loadEventFired":
            self._loads += 1
        return told


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """An empty tab of a browser that knows nothing yet; what it keeps is in `folder`."""
    process = await asyncio.create_subprocess_exec(
        found() or NAMES[0], *FLAGS, f"--user-data-dir={folder}", "about:blank", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        address = await _address(process.stderr)
        rest = asyncio.create_task(process.stderr.read())  # else it would wait for somebody to read it, once it is full
        async with ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
            yield await _tab(socket)
    finally:
        process.kill()
        await process.wait()
    await rest


async def _address(lines: asyncio.StreamReader) -> str:
    async with asyncio.timeout(TIMEOUT_S):
        async for line in lines:
            _, says, address = line.decode().partition("DevTools listening on ")
            if says:
                return address.strip()
    raise RuntimeError("the browser ended before it listened")


async def _tab(socket: ClientWebSocketResponse) -> Page:
    whole = Page(socket)
    target = (await whole.call("Target.createTarget", url="about:blank"))["targetId"]
    page = Page(socket, (await whole.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"])
    await page.call("Page.enable")
    return page
