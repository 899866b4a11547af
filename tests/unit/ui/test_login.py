"""The login's form, which whoever has no key may send: what is no such form is refused, and is no fault of ours."""

from __future__ import annotations

import gzip
from typing import Any, cast

import pytest

from streamapp.intake.access import COOKIE
from streamapp.intake.caller import Caller
from streamapp.intake.keyring import Keyring
from streamapp.ui.login import LoginViews
from streamapp.ui.pages import Pages
from tests.unit.intake.serving import served

KIND = "application/x-www-form-urlencoded"


class OneKey:
    """A keyring that knows the key `right`, and the login `a-login`."""

    def __init__(self, *, required: bool = True) -> None:
        """`required`: keys are asked for."""
        self.required = required

    async def log_in(self, key: str) -> str | None:
        """The login."""
        return "a-login" if key == "right" else None

    async def find(self, key: str, *, login: bool = False) -> Caller | None:
        """Anna, who is logged in."""
        return Caller("anna", frozenset(("read",)), "k", name="laptop") if login and key == "a-login" else None


def views(*, required: bool = True) -> LoginViews:
    """The handlers."""
    ring = OneKey(required=required)
    return LoginViews(cast(Keyring, ring), Pages(asks_keys=lambda: required), "http://here")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"key=right", {}, 303),
        (b"key=%20right%0A&next=%2Finbox", {}, 303),
        (b"key=right", {"Content-Type": f"{KIND}; charset=utf-16"}, 303),  # such a form is always UTF-8 (URL, 5.1)
        (b"key=right", {"Content-Type": f"{KIND}; charset=no-such"}, 303),
        (b"\xff\xfe", {}, 401),
        (b"key=%ff%fe", {}, 401),
        (b"key=%", {}, 401),
        (b"=", {}, 401),
        (b"", {}, 401),
        (b"a=b&" * 900, {}, 422),
        (gzip.compress(b"key=right", mtime=0), {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(gzip.compress(b"key=right", mtime=0), mtime=0), {"Content-Encoding": "gzip, deflate"}, 415),
        (b"key=right", {"Content-Type": "text/plain"}, 415),
        (b"key=" + b"a" * 9000, {}, 413),
    ],
)
async def test_what_is_sent(body: bytes, headers: dict[str, str], status: int) -> None:
    """I expect a form with the key to be taken, and an answer of ours to all else, never a 500."""
    async with served(("POST", "/login", views().log_in)) as client:
        sent: Any = {"Content-Type": KIND, **headers}
        answer = await client.post("/login", data=body, headers=sent, allow_redirects=False)
        assert answer.status == status, await answer.text()


@pytest.mark.parametrize("origin", ["http://[::1", "http://evil.example", "null", "//"])
async def test_another_origin(origin: str) -> None:
    """I expect 403, also for what is no URL."""
    async with served(("POST", "/login", views().log_in)) as client:
        answer = await client.post("/login", data=b"key=right", headers={"Content-Type": KIND, "Origin": origin})
        assert answer.status == 403


@pytest.mark.parametrize(("login", "said"), [("a-login", "Logged in"), ("an-old-login", "Log in"), ("", "Log in")])
async def test_who_is_in(login: str, said: str) -> None:
    """I expect to be told as whom I am logged in, and a login that has ended to be none."""
    async with served(("GET", "/login", views().show)) as client:
        page = await (await client.get("/login", headers={"Cookie": f"{COOKIE}={login}"})).text()
        assert f"<h1>{said}</h1>" in page
        assert ("laptop" in page, 'name="key"' in page) == (said == "Logged in", said == "Log in")


async def test_nothing_to_log_in_to() -> None:
    """I expect to come to the jobs where no key is asked for."""
    async with served(("GET", "/login", views(required=False).show)) as client:
        answer = await client.get("/login", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
