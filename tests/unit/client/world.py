"""An API of a script's, with a clock of its own, and both clients to ask it with: what one does, the other does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import httpx

from streamapp.client import AsyncClient, Client, Policy

ID = "0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e1f"
URL = "http://api.test:6066"
JOB: dict[str, Any] = {
    "id": ID,
    "task": "echo",
    "name": "A line.",
    "status": "queued",
    "progress": {"done": 0, "total": 0},
    "position": 1,
    "eta_s": None,
    "created_at": "2030-01-01T00:00:00Z",
    "started_at": None,
    "finished_at": None,
    "report": None,
    "deliveries": [],
    "error": None,
}

Outcome = httpx.Response | Exception
Script = Iterable[Outcome | Callable[[httpx.Request], Outcome]]


def job(status: str = "queued", **fields: Any) -> httpx.Response:
    """The job in an answer."""
    return httpx.Response(200, json={**JOB, "status": status, **fields})


def problem(status: int, detail: str = "Not now.", **headers: str) -> httpx.Response:
    """A refusal."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"title": "No", "status": status, "detail": detail}, headers=named)


def event(place: str, name: str, **data: Any) -> bytes:
    """An event of the job as it is sent."""
    told = {"job_id": ID, "status": "running", "done": 0, "total": 3, **data}
    return f"id: {place}\nevent: {name}\ndata: {json.dumps(told)}\n\n".encode()


def done(place: str, status: str = "succeeded") -> bytes:
    """The end of the job as it is sent."""
    return event(place, "done", status=status, error=None, finished_at=None, href="/")


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces; an exception among them is raised, a number lets so many seconds pass."""

    def __init__(self, world: World, pieces: Iterable[bytes | float | Exception]) -> None:
        self._world, self._pieces = world, pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                self._world.clock += piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class World:
    """The script, what was asked of it, and how long was slept; nothing really waits."""

    def __init__(self, how: str, *script: Outcome | Callable[[httpx.Request], Outcome]) -> None:
        self.how = how
        self.script: list[Outcome | Callable[[httpx.Request], Outcome]] = list(script)
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []
        self.clock = 1000.0

    def stream(self, *pieces: bytes | float | Exception) -> httpx.Response:
        """A stream of events."""
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Pieces(self, pieces))

    def __call__(self, method: str, *args: Any, policy: Policy | None = None, api_key: str = "", **given: Any) -> Any:
        """What the method of the client gives; of one that gives several, all of them."""
        options = {
            "policy": policy,
            "api_key": api_key,
            "transport": httpx.MockTransport(self._answer),
            "now": self._now,
        }
        if self.how == "sync":
            with Client(URL, **options, sleep=self._sleep) as client:  # type: ignore[arg-type] # the options are mixed
                found = getattr(client, method)(*args, **given)
                return list(found) if isinstance(found, Iterator) else found
        return asyncio.run(self._asynchronously(options, method, args, given))

    async def _asynchronously(self, options: dict[str, Any], method: str, args: Any, given: Any) -> Any:
        async def sleep(seconds: float) -> None:
            self._sleep(seconds)

        async with AsyncClient(URL, **options, sleep=sleep) as client:
            found = getattr(client, method)(*args, **given)
            return [each async for each in found] if isinstance(found, AsyncIterator) else await found

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        assert self.script, f"nobody expected {request.method} {request.url}"
        outcome = self.script.pop(0)
        if callable(outcome):
            outcome = outcome(request)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome.stream, Pieces):
            return outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds

    def _now(self) -> float:
        return self.clock
