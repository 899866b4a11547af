"""What `streamapp doctor` says of mail servers, of what answers in the API's place, and of models that don't load."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult

from streamapp.doctor.api import check_api
from streamapp.doctor.clock import check_clock
from streamapp.doctor.finding import Finding
from streamapp.doctor.ground import Ground
from streamapp.doctor.models import check_models
from streamapp.doctor.smtp import check_smtp
from streamapp.errors import ConfigurationError
from streamapp.settings import Settings
from tests.integration.secure import certificate


class _Refuses:
    """A handler that fails the test when a mail comes."""

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's
        raise AssertionError("doctor has sent a mail")


@asynccontextmanager
async def _mail_server(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[str]:
    """Its host and port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Refuses(), **options), "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _ground(folder: Path, **values: Any) -> Ground:
    return Ground(Settings.model_validate({"home": folder, "only_tasks": ("echo",), **values}), 10.0)


async def _said_of_mail(folder: Path, url: str) -> tuple[list[str], str]:
    """The verdicts, and all that was said."""
    found = await check_smtp(_ground(folder, smtp_url=url))
    return [each.verdict for each in found], " ".join(f"{each.said} {each.advice}" for each in found)


def _login(*_: Any) -> AuthResult:
    auth: Any = _[-1]
    return AuthResult(success=auth.password == b"right", handled=False)


async def test_a_login(tmp_path: Path) -> None:
    """I expect the right one to be taken, a wrong one to be named without showing it, and no mail to be sent."""
    async with _mail_server(authenticator=_login, auth_require_tls=False) as address:
        verdicts, said = await _said_of_mail(tmp_path, f"smtp://me:right@{address}")
        assert verdicts == ["ok"]
        assert "takes the login" in said
        verdicts, said = await _said_of_mail(tmp_path, f"smtp://me:wrong-one@{address}")
    assert verdicts == ["problem"]
    assert "refuses the login" in said
    assert "STREAMAPP_SMTP_URL" in said
    assert "wrong-one" not in said


async def test_a_login_that_is_not_offered(tmp_path: Path) -> None:
    """I expect it said where the settings have a login and the server takes none."""
    async with _mail_server() as address:
        assert (await _said_of_mail(tmp_path, f"smtp://me:right@{address}"))[0] == ["problem"]


async def test_a_server_that_takes_small_mails_only(tmp_path: Path) -> None:
    """I expect a warning with its limit, which it says itself (RFC 1870)."""
    async with _mail_server(data_size_limit=100_000) as address:
        verdicts, said = await _said_of_mail(tmp_path, f"smtp://{address}")
    assert verdicts == ["ok", "warning"]
    assert "100000 bytes" in said


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """I expect the reason, for TLS from the start."""
    certificate(tmp_path, "stranger")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "stranger.pem", tmp_path / "stranger.key")
    async with _mail_server(tls) as address:
        verdicts, said = await _said_of_mail(tmp_path, f"smtps://{address}")
    assert verdicts == ["problem"]
    assert "self-signed certificate" in said


async def test_what_answers_is_no_worker(tmp_path: Path) -> None:
    """I expect another server at that port to be told from ours, and from none, whatever it answers."""
    app = web.Application()
    app.router.add_get("/healthz", _welcome)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        [other] = await check_api(_ground(tmp_path), url)
        assert "no worker of streamapp" in other.said
        assert [each.verdict for each in await check_clock(_ground(tmp_path), url)] == ["ok", "ok"]
    finally:
        await runner.cleanup()
    [none] = await check_api(_ground(tmp_path), url)
    assert "No worker answers" in none.said
    assert [each.verdict for each in await check_clock(_ground(tmp_path), url)] == ["ok", "skipped"]


async def _welcome(_: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")


async def test_a_task_that_cannot_be_imported(tmp_path: Path) -> None:
    """I expect its name."""
    with pytest.raises(ConfigurationError, match="nothing:Here can't be imported"):
        await check_models(_ground(tmp_path, only_tasks=(), tasks=("nothing:Here",)), load=False)


async def test_weights_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the predictor and the package."""
    monkeypatch.setattr("streamapp.tasks.minilm.PACKAGE", "a_package_that_is_not_there")
    found = await check_models(_ground(tmp_path, only_tasks=("summarize",)), load=False)
    [wrong] = [each for each in found if each.verdict == "problem"]
    assert "all-minilm-l6-v2" in wrong.said
    assert "install the package" in wrong.said


async def test_models_that_do_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the reason of a device that is not there, from the process that tried."""
    monkeypatch.setenv("STREAMAPP_DEVICE", "cuda:99")
    monkeypatch.setenv("STREAMAPP_ONLY_TASKS", "echo")
    found: list[Finding] = [*await check_models(_ground(tmp_path), load=True)]
    assert found[-1].verdict == "problem"
    assert "cuda:99" in found[-1].said
    assert "Traceback" not in found[-1].said
