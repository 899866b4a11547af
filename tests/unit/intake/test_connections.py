"""What comes before any handler: answered or ended, and logged as no fault of ours."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from streamapp.intake.connections import Runner
from streamapp.intake.pace import read_whole
from streamapp.intake.problems import NOT_PACKED_SO, problem_response, problems
from streamapp.intake.refusal import Refused
from streamapp.resources import Problem

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nContent-Encoding: %s\r\n\r\n"


async def _page(request: web.Request, problem: Problem) -> web.StreamResponse:
    return problem_response(Refused(problem.status, problem.detail))


@asynccontextmanager
async def served(idle_s: float = 60.0) -> AsyncIterator[Callable[[], Awaitable[Line]]]:
    """Opens lines to a server whose one handler reads the body."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await read_whole(request))

    application = web.Application(middlewares=[problems(_page)])
    application.router.add_route("*", "/", handler)
    runner = Runner(application, idle_s)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="streamapp-", dir="/tmp") as folder:
        socket = str(Path(folder) / "socket")
        await web.UnixSite(runner, socket).start()
        try:
            yield lambda: asyncio.open_unix_connection(socket)
        finally:
            await runner.cleanup()


async def asked(opened: Callable[[], Awaitable[Line]], sent: bytes) -> bytes:
    """What is answered until the line is closed."""
    reader, writer = await opened()
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        POST % b"gzip" + b"no gzip.." + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        POST % b"deflate" + b"neither.." + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=["TLS", "a NUL", "a long line", "a version", "gzip", "deflate"],
)
async def test_what_can_not_be_read_is_no_fault_of_ours(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """400 with a problem document, and nothing in the log: else whoever sends garbage fills the disk."""
    async with served() as opened:
        answer = await asked(opened, sent)

    assert answer.split(b" ")[1] == b"400"
    assert b"\r\nContent-Type: application/problem+json" in answer
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


@pytest.mark.parametrize("encoding", [b"zstd", b"br"])
async def test_an_encoding_that_is_not_undone_is_told_which_are(encoding: bytes) -> None:
    """I expect 415 that names them, and no word of what to install."""
    async with served() as opened:
        answer = await asked(opened, POST % encoding + b"something")

    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (said["status"], said["errors"][0]["field"]) == (415, "Content-Encoding")
    assert said["detail"] == "Send the body as it is, or in gzip or deflate; no other Content-Encoding is taken."


@pytest.mark.parametrize("sent", [POST % b"gzip" + b"no gzip..", POST % b"deflate" + zlib.compress(b"a" * 99)[:9]])
async def test_a_body_that_is_not_compressed_as_it_says(sent: bytes) -> None:
    """I expect to hear of the encoding, also where it ends in the middle."""
    async with served() as opened:
        answer = await asked(opened, sent.replace(b"Host: a", b"Host: a\r\nConnection: close"))

    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (said["status"], said["errors"][0]["field"]) == (400, "body")
    assert said["detail"] == NOT_PACKED_SO


async def test_a_line_that_is_too_long_is_named() -> None:
    """I expect to hear what to change."""
    async with served() as opened:
        answer = await asked(opened, b"GET /?error=" + b"%F3" * 3000 + b" HTTP/1.1\r\n\r\n")

    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"].startswith("The address with its query, or a header")


async def test_a_client_that_goes_within_its_body_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged, and the next one is answered."""
    async with served() as opened:
        _, writer = await opened()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        answer = await asked(opened, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


async def test_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """I expect the filter to let pass what the server itself did wrong."""
    async with served():
        logging.getLogger("aiohttp.server").error("Error handling request", exc_info=KeyError("ours"))

    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "Error handling request"
    ]


@pytest.mark.parametrize("path", [b"/", b"/nowhere"])
@pytest.mark.parametrize("expected", [b"\xff", b"200-ok", b"a", "é".encode()])
async def test_what_nobody_can_expect(path: bytes, expected: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """417 with a problem document, also where it is no text, which aiohttp would answer with 500."""
    async with served() as opened:
        answer = await asked(
            opened, b"GET %s HTTP/1.1\r\nHost: a\r\nExpect: %s\r\nConnection: close\r\n\r\n" % (path, expected)
        )

    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b"application/problem+json" in answer
    assert caplog.records == []


async def test_who_waits_to_go_on_goes_on() -> None:
    """100, and then the answer."""
    async with served() as opened:
        answer = await asked(
            opened,
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\na",
        )

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["none", "half", "whole"]
)
async def test_a_silent_connection_ends(sent: bytes) -> None:
    """Whether nothing came, or half a head, or a request that was answered: nobody holds one for an hour."""
    async with served(idle_s=0.2) as opened:
        answer = await asyncio.wait_for(asked(opened, sent), 30)  # it waits for the end; a hang is a failure

    assert answer.startswith(b"HTTP/1.1 200 ") is sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("coding", [b"", b" ", b"chunked", b"identity"])
@pytest.mark.parametrize("length", [b"0", b"5", b"6"])
async def test_two_lengths_end_the_connection(coding: bytes, length: bytes) -> None:
    """What one of them takes for a second request is answered by nobody (request smuggling)."""
    inner = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: %s\r\nContent-Length: %s\r\n\r\n" % (coding, length)
    async with served() as opened:
        answer = await asked(opened, head + b"0\r\n\r\n" + inner)

    assert answer.split(b" ")[1] == b"400"
    assert answer.count(b"\r\nServer: ") == 1
