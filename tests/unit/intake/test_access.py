"""What a request needs, before there is any handler: what was forgotten is closed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streamapp.intake.access import Need, access
from streamapp.intake.caller import Caller, Scope, caller_of
from streamapp.intake.keyring import Keyring
from streamapp.intake.limits import Limits
from streamapp.intake.refusal import Refused

ALL: frozenset[Scope] = frozenset(("submit", "read", "admin"))
NEEDS: dict[tuple[str, str], Need] = {("/open", "GET"): "nothing", ("/things/{id}", "GET"): "read"}


class OneKey:
    """A keyring that knows the key `right`, for one caller."""

    def __init__(self, caller: Caller, required: bool = True) -> None:
        self.caller, self.required = caller, required

    async def find(self, key: str, *, login: bool = False) -> Caller | None:
        """The caller, for a key and for a login."""
        return self.caller if key == "right" else None


class NoLimits:
    """Limits that nobody has."""

    def take(self, caller: Caller) -> dict[str, str]:
        """Nothing."""
        return {}


async def asked(
    path: str,
    caller: Caller,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    required: bool = True,
    origins: tuple[str, ...] | None = None,
) -> int | str:
    """The status of a refusal, or the tenant that the handler saw."""
    app = web.Application()
    for known in ("/open", "/things/{id}", "/forgotten"):
        app.router.add_route("*", known, handler)
    request = make_mocked_request(method, path, headers=headers or {"Authorization": "Bearer right"})
    request._match_info = await app.router.resolve(request)
    keyring, limits = cast(Keyring, OneKey(caller, required)), cast(Limits, NoLimits())
    guard: Any = access(keyring, limits, NEEDS, (), "http://here", origins)
    try:
        response = await guard(request, handler)
    except Refused as error:
        return error.problem.status
    return cast(web.Response, response).text or ""


async def handler(request: web.Request) -> web.Response:
    """Says whose it is."""
    return web.Response(text=caller_of(request).tenant)


@pytest.mark.parametrize(
    ("tenant", "scopes", "status"),
    [("anna", ALL, 403), ("default", {"submit", "read"}, 403), ("default", {"admin"}, "default")],
)
async def test_a_route_that_declares_nothing_is_the_operators(tenant: str, scopes: set[Scope], status: Any) -> None:
    """I expect nobody else to come through, whatever their scopes."""
    assert await asked("/forgotten", Caller(tenant, frozenset(scopes), "k")) == status


async def test_what_is_declared_counts() -> None:
    """I expect the route as it was registered to be looked up, by its method, and HEAD as GET."""
    reader = Caller("anna", frozenset({"read"}), "k")
    assert await asked("/things/7", reader) == "anna"
    assert await asked("/things/7", reader, method="HEAD") == "anna"
    assert await asked("/things/7", reader, method="DELETE") == 403
    assert await asked("/things/7", Caller("anna", frozenset({"submit"}), "k")) == 403
    assert await asked("/nowhere", Caller("anna", frozenset(), "k")) == "anna"


async def test_who_sends_nothing_right() -> None:
    """I expect 401, but where nothing is needed; and the local caller where no key is asked for."""
    reader = Caller("anna", frozenset({"read"}), "k")
    for headers in ({"Accept": "*/*"}, {"Authorization": "Bearer wrong"}, {"Cookie": "streamapp_login=wrong"}):
        assert await asked("/things/7", reader, headers) == 401
        assert await asked("/nowhere", reader, headers) == 401
        assert await asked("/open", reader, headers) == "default"
        assert await asked("/things/7", reader, headers, required=False) == "default"
    # where anyone may, told so in words, any name will do; only a worker on loopback minds
    assert await asked("/things/7", reader, {"Host": "evil.example"}, required=False) == "default"


async def test_a_worker_on_loopback_minds_who_asks() -> None:
    """I expect another's name and another's page to be refused, but where nothing is needed; with a key neither is."""
    reader = Caller("anna", frozenset({"read"}), "k")
    rebound, page = {"Host": "evil.example"}, {"Host": "localhost", "Origin": "https://evil.example"}
    for path in ("/things/7", "/forgotten", "/nowhere"):
        assert await asked(path, reader, rebound, required=False, origins=()) == 421
        assert await asked(path, reader, page, required=False, origins=()) == 403
        assert await asked(path, reader, page, required=False, origins=("https://evil.example",)) == "default"
    assert await asked("/open", reader, rebound, required=False, origins=()) == "default"
    with_key = {**rebound, "Authorization": "Bearer right"}
    assert await asked("/things/7", reader, with_key, origins=()) == "anna"


@pytest.mark.parametrize(
    ("origin", "status"), [("http://here", "default"), ("http://here:81", 403), ("null", 403), (None, "default")]
)
async def test_a_cookie_counts_on_our_own_pages_only(origin: str | None, status: Any) -> None:
    """I expect what changes something to be refused from another origin, and reading not to be."""
    operator = Caller("default", ALL, "k")
    headers = {"Cookie": "streamapp_login=right", **({"Origin": origin} if origin else {})}
    assert await asked("/forgotten", operator, headers, method="POST") == status
    assert await asked("/forgotten", operator, headers) == "default"
