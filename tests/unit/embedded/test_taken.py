"""A web port that is taken: by a streamapp, which is told by what it answers without a key, or by somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from streamapp.embedded import ports, taken
from streamapp.embedded.taken import PortTaken, is_streamapp, refuse_taken
from streamapp.errors import ConfigurationError, Transient

URL = "http://127.0.0.1:6066"


def fails(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    """One that does not answer."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


def says(body: object, status: int = 200, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """One that answers this, whatever it is asked."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, content=json.dumps(body), headers=named)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says({"openapi": "3.1.0", "info": {"title": "streamapp"}}), True),
        (says({"title": "…"}, 401, WWW_Authenticate='Bearer realm="streamapp"'), True),
        (says({"title": "…"}, 401, WWW_Authenticate='Bearer realm="another"'), False),
        (says({"title": "…"}, 401), False),
        (says({"openapi": "3.1.0", "info": {"title": "Another API"}}), False),
        (says({"status": "ok"}), False),
        (says([]), False),
        (says(None, 404), False),
        (says({"info": "streamapp"}), False),
        (lambda _: httpx.Response(200, content=b"<html>"), False),
        (lambda _: httpx.Response(200, content=b"\xff"), False),
        (fails(httpx.ReadError("no HTTP")), False),
        (fails(httpx.ConnectError("nobody")), False),
        (fails(TimeoutError()), False),
    ],
)
async def test_what_tells_a_streamapp(answer: Callable[[httpx.Request], httpx.Response], expected: bool) -> None:
    """I expect its description or its challenge, and nothing that others may say too."""
    assert await is_streamapp(URL, httpx.MockTransport(answer)) is expected


async def test_no_key_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect whoever listens there to learn nothing."""
    monkeypatch.setenv("STREAMAPP_API_KEY", "sk-secret")
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404)

    assert not await is_streamapp(URL, httpx.MockTransport(answer))
    assert not {"authorization", "cookie"} & set(asked[0].headers)


@pytest.mark.parametrize("streamapp", [True, False])
async def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, streamapp: bool) -> None:
    """I expect the port, who has it, and what helps; of a streamapp its address. It may be free later."""

    async def asked(_: str) -> bool:
        return streamapp

    monkeypatch.setattr(taken, "is_streamapp", asked)
    monkeypatch.setattr(ports, "is_free", lambda host, port: port != 6066)
    monkeypatch.setattr(ports, "holder", lambda _: "python (process 5)")
    with pytest.raises(
        PortTaken, match=r"^Port 6066 is taken by .*python \(process 5\): .*STREAMAPP_WEB_PORT"
    ) as error:
        await refuse_taken("0.0.0.0", 6066)
    assert (f"a streamapp that already runs at {URL}, " in str(error.value)) == streamapp
    assert isinstance(error.value, Transient)
    await refuse_taken("127.0.0.1", 6067)


async def test_a_host_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the variable."""

    def refuses(*_: object) -> bool:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(ports, "is_free", refuses)
    with pytest.raises(ConfigurationError, match=r"STREAMAPP_WEB_HOST: this machine can't listen on '192\.0\.2\.1'"):
        await refuse_taken("192.0.2.1", 6066)
