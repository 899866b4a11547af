"""The streams of events: opened, kept alive, and ended before they hold up a stop."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import uuid
from collections.abc import Collection, Sequence
from typing import TypeVar

from aiohttp import web
from pydantic import Field

from streamapp.errors import StoreUnavailable
from streamapp.events.feedplace import FeedPlace
from streamapp.events.following import Following, JobFollowing, TenantFollowing
from streamapp.events.frames import HEARTBEAT, Event, opening
from streamapp.events.jobplace import JobPlace
from streamapp.events.watch import Watch
from streamapp.intake.caller import caller_of
from streamapp.intake.handling import NO_SUCH, WRONG
from streamapp.intake.operation import Answer, operation
from streamapp.intake.query import Query
from streamapp.intake.refusal import Refused
from streamapp.store import feed
from streamapp.store.database import Database
from streamapp.store.feed import Key

__all__ = ["Streams", "last_id"]

logger = logging.getLogger(__name__)

NO_JOB = "There is no such job."
BEAT_S = 15.0
STALLED_S = 30.0  # of a reader that takes nothing any more; it may come again
GOODBYE_S = 1.0
RETRY_MS = (1000, 4000)  # at random between these, so that a worker's readers don't all come at once when it stops
RETRY_S = 2
FILES = 65_536
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

RESUMED = {
    "Last-Event-ID": {"type": "string", "description": "The `id` of the last event that was read: go on from there."}
}
STREAM = {
    200: Answer(
        "Server-sent events (WHATWG HTML, 9.2): `progress`, `partial`, `delivery`, `done`, `notification`.",
        {},
        "text/event-stream",
    )
}
OF_JOB = {**STREAM, 204: Answer("All of it was read before.")}


class Resumed(Query):
    """For readers that can't set the header."""

    lastEventId: str | None = Field(None, description="As the header `Last-Event-ID`.")  # noqa: N815 - as polyfills name it


PlaceT = TypeVar("PlaceT", JobPlace, FeedPlace)


class Streams:
    """The handlers, and the streams that are open. At most `most` are; `beat_s` and `stalled_s` are for tests."""

    def __init__(
        self, database: Database, watch: Watch, most: int, beat_s: float = BEAT_S, stalled_s: float = STALLED_S
    ) -> None:
        self._database = database
        self._watch = watch
        self._most = most
        self._beat_s = beat_s
        self._stalled_s = stalled_s
        self._open: dict[asyncio.Event, web.Request] = {}
        self._none = asyncio.Event()
        self._none.set()
        self._closed = False

    async def run(self) -> None:
        """Until cancelled, look for what is new; then end all streams."""
        _allow_files()
        try:
            await self._watch.run()
        finally:
            await self.close()

    async def close(self) -> None:
        """End all streams; those that can't be ended in a second, because nobody reads, are cut."""
        self._closed = True
        for wake in self._open:
            wake.set()
        try:
            await _woken(self._none, GOODBYE_S)
        finally:  # also when this is cancelled, as what does not end soon enough is
            for request in list(self._open.values()):
                _cut(request)

    @operation("What becomes of a job", OF_JOB, headers=RESUMED, query=Resumed, problems={**NO_SUCH, **WRONG})
    async def job_events(self, request: web.Request, job_id: str) -> web.StreamResponse:
        """GET /v1/jobs/{id}/events."""
        place, wake = last_id(request, JobPlace) or JobPlace(), asyncio.Event()
        with self._watch.job(_key(request, job_id), wake) as watch:
            await self._watch.look()
            if watch.job is None:
                raise Refused(404, NO_JOB)
            following = JobFollowing(watch, place)
            return await self._answer(request, following, str(place), wake)

    @operation("What becomes of all jobs", STREAM, headers=RESUMED, query=Resumed, problems=WRONG)
    async def tenant_events(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/events."""
        return await self._of_feed(request, ())

    @operation("New lines in the inbox", STREAM, headers=RESUMED, query=Resumed, problems=WRONG)
    async def inbox_events(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/notifications/stream."""
        return await self._of_feed(request, ("notification",))

    async def head_of_job(self, request: web.Request, job_id: str) -> web.Response:
        """HEAD /v1/jobs/{id}/events: whether there is one, without opening it."""
        key = _key(request, job_id)
        if key not in await self._database.read(feed.look, [key]):
            raise Refused(404, NO_JOB)
        return web.Response(headers=HEADERS)

    async def head(self, request: web.Request) -> web.Response:
        """HEAD of the other two."""
        return web.Response(headers=HEADERS)

    async def _of_feed(self, request: web.Request, names: Collection[str]) -> web.StreamResponse:
        tenant, wake = caller_of(request).tenant, asyncio.Event()
        place = last_id(request, FeedPlace)
        if place is not None and not await self._database.read(feed.is_past, place.place):
            place = None
        with self._watch.tenant(tenant, wake) as watch:
            await self._watch.look()
            assert watch.tail is not None
            place = place or FeedPlace(watch.tail.head)
            following = TenantFollowing(self._database, tenant, watch, place, names)
            return await self._answer(request, following, str(place), wake)

    async def _answer(
        self, request: web.Request, following: Following, place: str, wake: asyncio.Event
    ) -> web.StreamResponse:
        first = await following.next()
        if following.over and not first:
            return web.Response(status=204)  # the one answer after which an EventSource does not come again
        if self._closed or len(self._open) >= self._most:
            reason = "it is stopping" if self._closed else f"{self._most} streams are open"
            raise Refused(503, f"This worker opens no stream now: {reason}. Come again.", retry_after_s=RETRY_S)
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        self._open[wake] = request
        self._none.clear()
        try:
            await self._write(response, opening(place, random.randint(*RETRY_MS)) + _frames(first))
            await self._tell(response, following, wake)
        except (ConnectionError, TimeoutError):  # gone; or it takes nothing any more
            _cut(request)
        except StoreUnavailable as error:
            logger.warning("a stream ends, and its reader may come again, because %s", error)
        finally:
            del self._open[wake]
            if not self._open:
                self._none.set()
        return response

    async def _tell(self, response: web.StreamResponse, following: Following, wake: asyncio.Event) -> None:
        """Tell what is new until there is nothing more to come; now and then a sign of life."""
        while not self._closed:
            wake.clear()
            if events := await following.next():
                await self._write(response, _frames(events))
            elif following.over:
                return
            elif not await _woken(wake, self._beat_s):
                await self._write(response, HEARTBEAT)

    async def _write(self, response: web.StreamResponse, content: bytes) -> None:
        """Returns when the reader has taken all but what fits the buffers. Raises TimeoutError, `ConnectionError`."""
        async with asyncio.timeout(self._stalled_s):
            await response.write(content)


def last_id(request: web.Request, kind: type[PlaceT]) -> PlaceT | None:
    """Where the reader was: the header `Last-Event-ID`, or `lastEventId` in the query. Raises `Refused`."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId", "")
    try:
        return kind.parse(text) if text else None
    except ValueError as error:
        raise Refused(422, f"Last-Event-ID: {error}.", field="Last-Event-ID") from error


def _frames(events: Sequence[Event]) -> bytes:
    return b"".join(event.frame() for event in events)


async def _woken(wake: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await wake.wait()
    except TimeoutError:
        return False
    return True


def _key(request: web.Request, job_id: str) -> Key:
    """The job that is named. Raises `Refused` with 404 for what can't be one."""
    try:
        return caller_of(request).tenant, str(uuid.UUID(job_id))
    except ValueError as error:
        raise Refused(404, NO_JOB) from error


def _cut(request: web.Request) -> None:
    """Close the connection without what is still in its buffer."""
    if request.transport is not None:
        request.transport.abort()


def _allow_files() -> None:
    """Each stream is an open file, and a shell allows 1,024 where the system allows many more."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now != resource.RLIM_INFINITY and now < FILES:
        wanted = FILES if most == resource.RLIM_INFINITY else min(most, FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
