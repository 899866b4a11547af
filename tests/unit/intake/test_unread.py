"""What is in a write's query and nobody reads is refused, and what is not ours to refuse goes through."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from pydantic import BaseModel

from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.query import PageQuery
from streamapp.intake.unread import careful
from tests.unit.intake.serving import served


class _Body(BaseModel):
    up_to: int | None = None
    name: str | None = None


def handler(**told: Any) -> Any:
    """A handler that is marked so."""

    @operation("It", {200: Answer("It.")}, **told)
    async def call(request: web.Request) -> web.Response:
        return web.Response(text="done")

    return call


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("told", "detail"),
    [
        ({}, "up_to: this call takes nothing in its query."),
        (
            {"bodies": {JSON: _Body}},
            "up_to: this call takes nothing in its query; what it takes goes into its body, as JSON: name, up_to.",
        ),
    ],
)
async def test_a_query_that_nobody_reads(method: str, told: dict[str, Any], detail: str) -> None:
    """I expect 422 that names the field and where fields belong, and nothing to be refused without a query."""
    async with served((method, "/v1/x", careful("/v1/x", method.lower(), handler(**told)))) as client:
        answer = await client.request(method, "/v1/x", params={"up_to": "1"})
        said = await answer.json()
        assert (answer.status, said["detail"], said["errors"][0]["field"]) == (422, detail, "up_to")
        assert (await client.request(method, "/v1/x")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/x", {}),
        ("POST", "/v1/x", {"query": PageQuery}),
        ("POST", "/v1/x", {"beside": {"task": {"type": "string"}}}),
        ("POST", "/kafka/pushToConsumers", {}),
        ("POST", "/ui/x", {}),
    ],
)
async def test_who_reads_its_query_or_never_did(method: str, path: str, told: dict[str, Any]) -> None:
    """I expect it to come through."""
    async with served((method, path, careful(path, method.lower(), handler(**told)))) as client:
        assert (await client.request(method, path, params={"up_to": "1"})).status == 200
