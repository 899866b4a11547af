"""Receivers of webhooks for tests: what they answer is set, what they got is kept. On 127.0.0.1 unless told else."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from aiohttp import web

__all__ = ["Receiver", "ReceiverThread", "certificate", "names"]

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Receiver:
    """One server. `answer` makes the answer; `got` has (headers, body) of every post."""

    def __init__(self, answer: Answer | int = 204, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.answer = answer
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.port = port
        self._host = host
        self._runner: web.ServerRunner | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen."""
        self._runner = web.ServerRunner(web.Server(self._take), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port, ssl_context=tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        if isinstance(self.answer, int):
            return web.Response(status=self.answer)
        return await self.answer(request)

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        """While the context lasts."""
        await self.start(tls)
        try:
            yield self
        finally:
            await self.stop()


class ReceiverThread:
    """A receiver beside a test that waits by blocking; a context manager."""

    def __init__(self, answer: Answer | int = 204) -> None:
        self.receiver = Receiver(answer)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.receiver.port}/hook"

    def start(self) -> None:
        """Listen, on the port that it had before."""
        self._run(self.receiver.start())

    def stop(self) -> None:
        """Refuse connections."""
        self._run(self.receiver.stop())

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def names(**known: tuple[str, ...] | list[list[str]]) -> Callable[[str], Awaitable[Sequence[str]]]:
    """A look-up of names, with _ for each dot: always the same addresses, or with a list the next ones each time."""

    async def look_up(host: str) -> Sequence[str]:
        found = known[host.replace(".", "_")]
        return found.pop(0) if isinstance(found, list) else found

    return look_up


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for that name, by openssl: the context of a server that has it, and of a client that trusts it."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))
