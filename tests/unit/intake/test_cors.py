"""The CORS policy by itself: who is answered to, and with what."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from streamapp.intake.cors import Cors
from streamapp.intake.preflight import answer_preflights, mark_answers

PAGE, OTHER = "https://a.example", "https://b.example"


def marked(origins: tuple[str, ...], origin: str | None, **headers: str) -> dict[str, str]:
    """An answer's headers, but for the exposed ones."""
    answer = CIMultiDict(headers)
    Cors(origins).mark(answer, origin)
    exposed = answer.pop("Access-Control-Expose-Headers", None)
    assert (exposed is not None) is ("Access-Control-Allow-Origin" in answer)
    return dict(answer)


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        ((), PAGE, {}),
        ((PAGE,), PAGE, {"Vary": "Origin", "Access-Control-Allow-Origin": PAGE}),
        ((PAGE, OTHER), OTHER, {"Vary": "Origin", "Access-Control-Allow-Origin": OTHER}),
        ((PAGE,), OTHER, {"Vary": "Origin"}),
        ((PAGE,), "null", {"Vary": "Origin"}),
        ((PAGE,), None, {"Vary": "Origin"}),  # a cache must not give this answer to a page
        (("*",), PAGE, {"Access-Control-Allow-Origin": "*"}),
        (("*",), None, {}),
    ],
)
def test_who_is_answered_to(origins: tuple[str, ...], origin: str | None, expected: dict[str, str]) -> None:
    """I expect listed origins alone, and caches to be told where answers differ; never that cookies may go along."""
    assert marked(origins, origin) == expected


def test_what_varies_anyway() -> None:
    """I expect both to be named."""
    assert marked((PAGE,), None, Vary="Accept") == {"Vary": "Accept, Origin"}


def test_preflights() -> None:
    """I expect the path's methods and the headers that the API takes, for a listed origin."""
    granted = Cors((PAGE,)).grants(PAGE, ["PUT", "GET"])
    assert granted is not None
    assert granted["Access-Control-Allow-Methods"] == "GET, PUT"
    assert {"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer"} <= set(
        granted["Access-Control-Allow-Headers"].split(", ")
    )
    assert Cors((PAGE,)).grants(OTHER, ["PUT"]) is None
    assert Cors((PAGE,)).grants(None, ["PUT"]) is None
    assert Cors(()).grants(PAGE, ["PUT"]) is None


async def test_a_path_that_pages_may_not_call() -> None:
    """I expect no header there, though the page is listed; and one where there is nothing, so that it can be read."""
    app, cors = web.Application(), Cors((PAGE,))
    app.router.add_get("/v1/open", _handler)
    app.router.add_get("/v1/closed", _handler)
    answer_preflights(app, cors, "/v1/open", ["GET"])
    mark_answers(app, cors, {"/v1/open"})
    for path, expected in (("/v1/open", True), ("/v1/closed", False), ("/v1/nothing", True), ("/pages", False)):
        request: Any = make_mocked_request("GET", path, headers={"Origin": PAGE})
        request._match_info = await app.router.resolve(request)
        response = web.Response()
        for signal in app.on_response_prepare:
            await signal(request, response)
        assert ("Access-Control-Allow-Origin" in response.headers) is expected


async def _handler(request: web.Request) -> web.Response:
    return web.Response()
