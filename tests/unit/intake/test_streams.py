"""The streams over HTTP, on a real store: opened, resumed, ended, and never a burden."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, UnixConnector, web

from streamapp.events.watch import Watch
from streamapp.identity import Run
from streamapp.intake.caller import ALL_SCOPES, CALLER, Caller
from streamapp.intake.problems import problems
from streamapp.intake.streams import Streams
from streamapp.resources import Problem
from streamapp.store import inbox, jobs, ledger
from streamapp.store.database import Database
from streamapp.store.schema import jobs as job_table
from tests.unit.store.rows import fly, land, put, reserved, running

ID = "0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e1f"
QUICK_S = 0.02
WITHIN_S = 30.0


class Site:
    """A server on a socket in a folder, with as much of the worker as streams need."""

    def __init__(self, database: Database, folder: Path, **options: Any) -> None:
        self.streams = Streams(database, Watch(database, QUICK_S), **{"most": 5, **options})
        self.path = str(folder / "socket")
        self.app = web.Application(middlewares=[problems(_page), _tenant])
        paths = {"/v1/jobs/{job_id}/events": ("job_events", "head_of_job"), "/v1/events": ("tenant_events", "head")}
        for path, (get, head) in paths.items():
            for method, name in (("GET", get), ("HEAD", head)):
                self.app.router.add_route(method, path, _plain(getattr(self.streams, name)))
        self.session = ClientSession(connector=UnixConnector(self.path, limit=0), base_url="http://site")

    async def open(self, path: str, **headers: str) -> ClientResponse:
        """A GET."""
        return await self.session.get(path, headers=headers)


@asynccontextmanager
async def site(database: Database, folder: Path, **options: Any) -> AsyncIterator[Site]:
    """A running one."""
    made = Site(database, folder, **options)
    runner = web.AppRunner(made.app, shutdown_timeout=5)
    await runner.setup()
    await web.UnixSite(runner, made.path).start()
    looking = asyncio.create_task(made.streams.run())
    try:
        yield made
    finally:
        looking.cancel()
        await asyncio.wait({looking})
        await made.session.close()
        await runner.cleanup()


@web.middleware
async def _tenant(request: web.Request, handler: Any) -> web.StreamResponse:
    request[CALLER] = Caller(request.headers.get("Tenant", "anna"), ALL_SCOPES)
    answer: web.StreamResponse = await handler(request)
    return answer


async def _page(request: web.Request, problem: Problem) -> web.StreamResponse:
    raise NotImplementedError


def _plain(handler: Any) -> Any:
    async def call(request: web.Request) -> Any:
        return await handler(request, **request.match_info)

    return call


async def blocks(answer: ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The blocks of a stream as they come, comments among them under the empty name."""
    block: dict[str, str] = {}
    async for line in answer.content:
        if line == b"\n":
            yield block
            block = {}
        else:
            name, _, value = line.decode().rstrip("\n").partition(":")
            block[name] = value.strip()


async def events(answer: ClientResponse, count: int = 1000) -> list[dict[str, str]]:
    """So many events, or those until the end."""
    found = []
    async with asyncio.timeout(WITHIN_S):
        async for block in blocks(answer):
            if "event" in block:
                found.append(block)
            if len(found) == count:
                break
    return found


def ended(database: Database, run: Run) -> None:
    """The job ends, and its notification is delivered."""
    assert database.write_sync(jobs.end, run, "succeeded")
    due = database.write_sync(ledger.enter, run, "succeeded", "notification", run.tenant)
    row = database.read_sync(ledger.get, due.id)
    assert row is not None
    database.write_sync(inbox.deliver, row, "Done", "All of it")


async def test_a_job_is_followed_to_its_end(database: Database, tmp_path: Path) -> None:
    """I expect its progress, its end and its delivery in this order, the end of the stream, and 204 after that."""
    run = running(database, 2, id=ID)
    async with site(database, tmp_path) as here:
        answer = await here.open(f"/v1/jobs/{ID}/events")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        first = await events(answer, 1)
        land(database, fly(database, 1))
        second = await events(answer, 1)
        ended(database, run)
        rest = await events(answer)
        assert [each["event"] for each in rest] == ["progress", "done", "delivery"]
        assert [json.loads(each["data"])["done"] for each in (*first, *second, rest[0])] == [0, 2, 4]
        again = await here.open(f"/v1/jobs/{ID}/events", **{"Last-Event-ID": second[0]["id"]})
        assert await events(again) == rest
        over = await here.open(f"/v1/jobs/{ID}/events?lastEventId={rest[-1]['id']}")
        assert over.status == 204


async def test_a_stream_says_where_it_begins(database: Database, tmp_path: Path) -> None:
    """Cut before the first event: I expect to be told what happened meanwhile when I come back with that id."""
    run = reserved(database, id=ID)
    async with site(database, tmp_path, beat_s=1.0) as here:
        answer = await here.open("/v1/events")
        opening = await anext(blocks(answer))
        answer.close()
        ended(database, run)
        again = await here.open("/v1/events", **{"Last-Event-ID": opening["id"]})
        assert [each["event"] for each in await events(again, 2)] == ["done", "notification"]


async def test_others_and_nothing_are_not_told_apart(database: Database, tmp_path: Path) -> None:
    """I expect another tenant's job, one that is none and no id at all to be the same 404, for HEAD too."""
    running(database, 1, id=ID)
    async with site(database, tmp_path) as here:
        other = await here.open(f"/v1/jobs/{ID}/events", Tenant="ben")
        none = await here.open("/v1/jobs/0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e10/events")
        odd = await here.open("/v1/jobs/a-job/events")
        assert [each.status for each in (other, none, odd)] == [404] * 3
        assert len({await each.text() for each in (other, none, odd)}) == 1
        head = await here.session.head(f"/v1/jobs/{ID}/events", headers={"Tenant": "ben"})
        assert head.status == 404


async def test_of_another_tenant_nothing_is_heard(database: Database, tmp_path: Path) -> None:
    """I expect a tenant's stream to tell of its own jobs alone."""
    async with site(database, tmp_path) as here:
        answer = await here.open("/v1/events")
        ended(database, running(database, 1, tenant="ben"))
        mine = running(database, 1)
        ended(database, mine)
        assert {json.loads(each["data"])["job_id"] for each in await events(answer, 2)} == {mine.job}


async def test_head_opens_nothing(database: Database, tmp_path: Path) -> None:
    """I expect an answer that ends, with what a GET would say that it is."""
    running(database, 1, id=ID)
    async with site(database, tmp_path) as here:
        for path in (f"/v1/jobs/{ID}/events", "/v1/events"):
            async with asyncio.timeout(WITHIN_S):
                answer = await here.session.head(path)
                assert await answer.read() == b""
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert not here.streams._open
        assert not here.streams._watch.jobs


async def test_an_id_of_something_else_is_refused(database: Database, tmp_path: Path) -> None:
    """I expect 422 that names the header, for what no stream of this kind gave."""
    running(database, 1, id=ID)
    async with site(database, tmp_path) as here:
        for path in (f"/v1/jobs/{ID}/events", "/v1/events"):
            answer = await here.open(path, **{"Last-Event-ID": "17"})
            assert answer.status == 422
            assert (await answer.json())["errors"][0]["field"] == "Last-Event-ID"


async def test_a_quiet_stream_shows_that_it_lives(database: Database, tmp_path: Path) -> None:
    """I expect comments while nothing happens."""
    running(database, 1, id=ID)
    async with site(database, tmp_path, beat_s=0.01) as here:
        answer = await here.open(f"/v1/jobs/{ID}/events")
        seen = []
        async with asyncio.timeout(WITHIN_S):
            async for block in blocks(answer):
                seen.append(block)
                if len(seen) == 5:
                    break
        assert seen[2:] == [{"": ""}] * 3


async def test_more_than_there_is_room_for_are_refused(database: Database, tmp_path: Path) -> None:
    """I expect 503 with a time to come again, and room once one has gone."""
    async with site(database, tmp_path, most=2, beat_s=0.05) as here:
        first, _ = await here.open("/v1/events"), await here.open("/v1/events")
        refused = await here.open("/v1/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
        first.close()
        async with asyncio.timeout(WITHIN_S):
            while (await here.open("/v1/events")).status != 200:
                await asyncio.sleep(QUICK_S)


async def test_a_stop_ends_streams(database: Database, tmp_path: Path) -> None:
    """Nothing happens on them and the next sign of life is far: I expect them to end, and new ones to be refused."""
    running(database, 1, id=ID)
    async with site(database, tmp_path, beat_s=3600) as here:
        open_ones = [await here.open("/v1/events"), await here.open(f"/v1/jobs/{ID}/events")]
        closing = asyncio.create_task(here.streams.close())
        async with asyncio.timeout(WITHIN_S):
            for answer in open_ones:
                await answer.read()
            await closing
        assert (await here.open("/v1/events")).status == 503


@pytest.mark.parametrize("ends", ["stalled", "closed", "closed in a hurry"])
async def test_who_does_not_read_is_cut_and_keeps_nothing(database: Database, tmp_path: Path, ends: str) -> None:
    """A reader that takes nothing while much is told: I expect little to be kept for it, and it to be cut."""
    run = reserved(database, id=ID)
    put(database, job_table, {"id": ID}, error="x" * 2_000_000, status="failed", feed=1)
    async with site(database, tmp_path, stalled_s=0.5 if ends == "stalled" else 3600) as here:
        reader = socket.socket(socket.AF_UNIX)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.setblocking(False)
        await asyncio.get_running_loop().sock_connect(reader, here.path)
        get = f"GET /v1/jobs/{run.job}/events HTTP/1.1\r\nHost: site\r\n\r\n".encode()
        await asyncio.get_running_loop().sock_sendall(reader, get)
        async with asyncio.timeout(WITHIN_S):
            while not here.streams._open:
                await asyncio.sleep(QUICK_S)
            if ends == "closed":
                await here.streams.close()
            elif ends == "closed in a hurry":
                closing = asyncio.create_task(here.streams.close())
                await asyncio.sleep(0.05)
                closing.cancel()
                await asyncio.wait({closing})
            while here.streams._open or here.streams._watch.jobs:
                await asyncio.sleep(QUICK_S)
        reader.close()
