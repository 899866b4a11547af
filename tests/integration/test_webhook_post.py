"""Posting over real sockets: what each answer means, and that no connection leads where none may."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from streamapp.delivery import dial
from streamapp.delivery.dial import LookUp, Names
from streamapp.delivery.post import Poster, WebhookRefused, WebhookUnavailable, retry_after_s
from streamapp.delivery.target import Rules, Target, parse_target
from streamapp.delivery.webhooks import Courier
from streamapp.jobs import progress
from streamapp.models import Delivery
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.schema import clock, deliveries
from streamapp.tasks.contract import Report
from tests.integration.receivers import Receiver, certificate, names
from tests.unit.store.rows import put, reserved, row_of

TIMEOUT_S = 1.0
HERE, STRICT = Rules(loopback=True), Rules(http=True)
BODY = b'{"type": "job.succeeded"}'


async def post(
    url: str, *, rules: Rules = HERE, look_up: LookUp | None = None, tls: ssl.SSLContext | None = None
) -> None:
    """One webhook."""
    target = parse_target(url, rules)
    await Poster(rules, TIMEOUT_S, look_up or Names(1), tls).post(target, {"webhook-id": "id"}, BODY)


async def test_a_receiver_that_takes_it() -> None:
    """I expect the body and the headers as they were given, and the answer's status to be enough."""
    async with Receiver(200).serving() as receiver:
        await post(f"http://127.0.0.1:{receiver.port}/hook?a=1")
        await post(f"http://localhost:{receiver.port}/")
    ((headers, body), (other, _)) = receiver.got
    assert body == BODY
    assert (headers["webhook-id"], headers["content-type"]) == ("id", "application/json")
    assert (headers["host"], other["host"]) == (f"127.0.0.1:{receiver.port}", f"localhost:{receiver.port}")
    assert "cookie" not in other


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503])
async def test_an_answer_that_is_no_success(status: int) -> None:
    """I expect it to be tried again, with the status as the reason and nothing of the body."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text="a secret of the receiver's")

    async with Receiver(answer).serving() as receiver:
        with pytest.raises(WebhookUnavailable, match=f"^{status} ") as error:
            await post(f"http://127.0.0.1:{receiver.port}/")
    assert "secret" not in str(error.value)
    assert not error.value.hung


async def test_gone() -> None:
    """I expect it to be given up."""
    async with Receiver(410).serving() as receiver:
        with pytest.raises(WebhookRefused, match="410"):
            await post(f"http://127.0.0.1:{receiver.port}/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """I expect it to count as a failure that says so, and nobody else to be called."""
    async with Receiver().serving() as other:

        async def answer(_: web.BaseRequest) -> web.Response:
            return web.Response(status=status, headers={"Location": f"http://127.0.0.1:{other.port}/"})

        async with Receiver(answer).serving() as receiver:
            with pytest.raises(WebhookUnavailable, match="redirects are not followed"):
                await post(f"http://127.0.0.1:{receiver.port}/")
        assert len(receiver.got) == 1
        assert other.got == []


@pytest.mark.parametrize(
    ("status", "value", "least", "most"),
    [(429, "120", 120, 120), (503, formatdate(time.time() + 900, usegmt=True), 600, 900), (500, "120", 0, 0)],
    ids=["seconds", "a date", "not with this status"],  # a date in an id would differ from process to process
)
async def test_retry_after(status: int, value: str, least: float, most: float) -> None:
    """I expect it to be heard from 429 and 503, as seconds and as a date."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": value})

    async with Receiver(answer).serving() as receiver:
        with pytest.raises(WebhookUnavailable) as error:
            await post(f"http://127.0.0.1:{receiver.port}/")
    assert least <= error.value.after_s <= most


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "Wed, 99 Nov 2030 00:00:00 GMT", "٣", formatdate(0)])
def test_a_retry_after_that_says_nothing(value: str) -> None:
    """I expect no wait of it, and no error."""
    assert retry_after_s(value) == 0.0
    assert retry_after_s("9" * 5000) > 0


async def test_a_receiver_that_says_nothing() -> None:
    """I expect the time to end it, and to be told that it hung."""
    never = asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.Response:
        await never.wait()
        raise AssertionError("unreachable")

    async with Receiver(answer).serving() as receiver:
        with pytest.raises(WebhookUnavailable, match="did not answer") as error:
            await post(f"http://127.0.0.1:{receiver.port}/")
    assert error.value.hung


async def test_a_name_that_nobody_looks_up() -> None:
    """I expect the same time to bound that too."""

    async def hangs(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    with pytest.raises(WebhookUnavailable, match="did not answer"):
        await post("https://receiver.example/", look_up=hangs)


async def test_an_answer_without_an_end() -> None:
    """I expect the status to count, and the rest of the answer not to be waited for."""
    sent = 0

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            sent += 65536

    async with Receiver(answer).serving() as receiver:
        await post(f"http://127.0.0.1:{receiver.port}/")
    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n"],
    ids=["closes", "nonsense", "huge header", "another protocol"],
)
async def test_what_is_no_answer(raw: bytes) -> None:
    """I expect it to be tried again."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        with pytest.raises(WebhookUnavailable):
            await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()


async def test_nobody_listens() -> None:
    """I expect a reason, and no doubt that somebody hangs."""
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    with pytest.raises(WebhookUnavailable) as error:
        await post(f"http://127.0.0.1:{receiver.port}/")
    assert not error.value.hung
    assert str(error.value)


async def test_a_worker_that_stops() -> None:
    """I expect one that is cut off to be one to try again."""
    arrived = asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with Receiver(answer).serving() as receiver:
        task = asyncio.create_task(post(f"http://127.0.0.1:{receiver.port}/"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(WebhookUnavailable, match="stopped"):
            await task


class _Sockets:
    """The module `socket`, which counts in `made` how often a socket was asked of it."""

    made = 0

    def __getattr__(self, name: str) -> Any:
        self.made += name == "socket"
        return getattr(socket, name)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
    ],
    ids=str,
)
async def test_a_name_of_a_private_address(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect not even a socket, also where only one of several is private; the reason names the address."""
    sockets = _Sockets()
    monkeypatch.setattr(dial, "socket", sockets)
    async with Receiver().serving() as receiver:
        with pytest.raises(WebhookUnavailable, match=r"receiver\.example is at .*, which is refused"):
            await post(
                f"http://receiver.example:{receiver.port}/",
                rules=STRICT,
                look_up=names(receiver_example=tuple(addresses)),
            )
    assert receiver.got == []
    assert sockets.made == 0


async def test_an_address_that_came_by_no_name() -> None:
    """I expect the socket itself to be guarded: here a target that nobody has checked."""
    async with Receiver().serving() as receiver:
        target = Target(f"http://127.0.0.1:{receiver.port}/", "http", "127.0.0.1", receiver.port)
        with pytest.raises(WebhookUnavailable, match="it is loopback"):
            await Poster(STRICT, TIMEOUT_S, Names(1)).post(target, {}, BODY)
    assert receiver.got == []


async def test_http_leads_to_this_machine_alone() -> None:
    """I expect a name that stood for loopback to be refused once it stands for another place."""
    with pytest.raises(WebhookUnavailable, match="goes by http"):
        await post("http://localhost:6070/", look_up=names(localhost=("93.184.216.34",)))


async def test_it_is_looked_up_once_and_pinned() -> None:
    """I expect one look-up an attempt, and a connection to that very address."""
    async with Receiver().serving() as first, Receiver(host="127.0.0.2", port=first.port).serving() as second:
        answers = names(hook_localhost=[["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]])
        url = f"http://hook.localhost:{first.port}/"
        await post(url, look_up=answers)
        assert (len(first.got), len(second.got)) == (1, 0)
        await post(url, look_up=answers)
        assert (len(first.got), len(second.got)) == (1, 1)
        with pytest.raises(WebhookUnavailable, match="refused"):
            await post(url, look_up=answers)
        assert (len(first.got), len(second.got)) == (1, 1)
    assert first.got[0][0]["host"] == f"hook.localhost:{first.port}"


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it not to be asked: it would go anywhere."""
    async with Receiver().serving() as proxy, Receiver().serving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        await post(f"http://127.0.0.1:{receiver.port}/")
    assert (len(receiver.got), len(proxy.got)) == (1, 0)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
async def test_tls(tmp_path: Path) -> None:
    """I expect SNI, Host and the certificate's check to go by the name, whatever address it was pinned to."""
    server, client = certificate(tmp_path, "receiver.example")
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    everybody = names(receiver_example=("127.0.0.1",), other_example=("127.0.0.1",))
    async with Receiver().serving(server) as receiver:
        await post(f"https://receiver.example:{receiver.port}/", look_up=everybody, tls=client)
        assert receiver.got[0][0]["host"] == f"receiver.example:{receiver.port}"
        assert asked == ["receiver.example"]
        with pytest.raises(WebhookUnavailable, match=r"(?i)certificate"):
            await post(f"https://other.example:{receiver.port}/", look_up=everybody, tls=client)
        with pytest.raises(WebhookUnavailable, match=r"(?i)certificate"):
            await post(f"https://receiver.example:{receiver.port}/", look_up=everybody)
    assert len(receiver.got) == 1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty store."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    migrate(database)
    yield database
    database.close()


async def test_a_name_that_changes_between_attempts(database: Database, tmp_path: Path) -> None:
    """DNS rebinding: I expect the second attempt to be refused, the third to arrive, and the ledger to tell."""
    settings = Settings(home=tmp_path, webhook_timeout_s=TIMEOUT_S)
    async with Receiver(503).serving() as receiver:
        run = reserved(database, webhook=f"http://hook.localhost:{receiver.port}/")
        due = database.write_sync(progress._finish, run, None, Report(subject="Done", text="All."))
        hook = Delivery(next(each.id for each in due if each.kind == "webhook"))
        look_up = names(hook_localhost=[["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]])
        agent = Courier(database, Poster(HERE, TIMEOUT_S, look_up), settings)
        errors = []
        for answer in (503, 204, 204):
            receiver.answer = answer
            await agent.deliver(hook)
            errors.append(row_of(database, deliveries, kind="webhook").last_error)
            put(database, deliveries, {"id": hook.delivery_id}, next_attempt_at=clock() - 1.0)
    assert errors[0] == "503 Service Unavailable"
    assert "hook.localhost is at 169.254.169.254, which is refused" in errors[1]
    assert errors[2] is None
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2
    assert row_of(database, deliveries, kind="webhook").attempts == 3
