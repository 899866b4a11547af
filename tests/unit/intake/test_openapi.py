"""The API's description says what the service does, of every call."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from streamapp.intake.http import Api
from streamapp.intake.openapi import Call, describe
from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.query import Query
from streamapp.resources import JobResource


class _Body(BaseModel):
    """A body."""

    count: int = Field(ge=1, description="How many.")


class _Found(Query):
    """A query."""

    word: str = Field(description="What to look for.")
    limit: int = Field(20, ge=1, le=100)


@operation(
    "Find things",
    {200: Answer("Them.", JobResource)},
    query=_Found,
    bodies={JSON: _Body},
    headers={"Accept-Language": {"type": "string", "description": "A language."}},
    problems={404: "There are none."},
)
async def find(request: Any, shelf: str) -> None:
    """A handler."""


def _described(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = describe([Call("/v1/shelves/{shelf}", "post", find, **changes)])["paths"]
    call: dict[str, Any] = told["/v1/shelves/{shelf}"]["post"]
    return call


def test_parameters_come_from_path_query_and_headers() -> None:
    """Each has its place, its schema, its description, and whether it must be there."""
    found = {(each["in"], each["name"]): each for each in _described()["parameters"]}

    assert set(found) == {("path", "shelf"), ("query", "word"), ("query", "limit"), ("header", "Accept-Language")}
    assert found["path", "shelf"]["required"]
    assert found["query", "word"] == {
        "name": "word",
        "in": "query",
        "required": True,
        "schema": {"type": "string"},
        "description": "What to look for.",
    }
    assert found["query", "limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert not found["header", "Accept-Language"]["required"]


def test_answers_are_all_there() -> None:
    """What the handler answers, what any call may be answered, and nothing that hides an answer behind `default`."""
    responses = _described()["responses"]

    assert {"200", "400", "401", "403", "404", "413", "421", "429", "503"} == set(responses)
    assert responses["200"]["content"][JSON]["schema"] == {"$ref": "#/components/schemas/JobResource"}
    assert responses["404"]["description"] == "There are none."
    assert set(responses["503"]["headers"]) == {"Retry-After"}


def test_a_body_is_what_the_handler_checks_with() -> None:
    """Its schema is that of the model."""
    document = describe([Call("/v1/shelves/{shelf}", "post", find)])

    body = document["paths"]["/v1/shelves/{shelf}"]["post"]["requestBody"]
    assert body["required"]
    assert body["content"][JSON]["schema"] == {"$ref": "#/components/schemas/_Body"}
    assert document["components"]["schemas"]["_Body"]["properties"]["count"]["minimum"] == 1


def test_a_scope_is_said() -> None:
    """A call that needs a key names the scope."""
    assert _described(scope="read")["security"] == [{"key": ["read"]}]
    assert "security" not in _described()


def test_a_call_that_is_not_described_stops_the_start() -> None:
    """Nobody adds a route without its description."""
    with pytest.raises(LookupError, match="get /v1/x"):
        describe([Call("/v1/x", "get", Api.page_of_notifications)])
