"""The API's description as OpenAPI 3.1, made from the routes and from what their handlers are marked with.

Source: the OpenAPI Specification 3.1.0; its schemas are JSON Schema 2020-12, as pydantic writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streamapp.intake.operation import JSON, Answer, Operation, Schema, operation_of
from streamapp.resources import Problem

__all__ = ["Call", "describe", "served", "template_of"]

PROBLEM = "application/problem+json"
TEMPLATE = "#/components/schemas/{model}"
PARAMETER = re.compile(r"{(\w+)}")
PATTERN = re.compile(r"{(\w+):([^}]+)}")  # as aiohttp writes a parameter with a pattern
#: What any call may be answered, whatever it is.
ANYWHERE = {
    400: "The request can't be read.",
    401: "A key is needed, or this one does not hold.",
    403: "The key does not allow this.",
    413: "It is larger than what is taken; `detail` names the limit.",
    421: "`Host` names another machine than this worker's, which asks for no key.",
    429: "Too many requests for now; `Retry-After` says when to come again.",
    503: "It can't be done right now, and nothing was accepted; `Retry-After` says when to try again.",
}
SECONDS = {"description": "Seconds to wait.", "schema": {"type": "string"}}

NOTHING: Mapping[str, Any] = {}

Mode = Literal["validation", "serialization"]


class Call(NamedTuple):
    """A route's method. `scope` is what a key needs for it; None: no key at all."""

    path: str
    method: str
    handler: Callable[..., Any]
    scope: str | None = None


def describe(calls: Sequence[Call], schemas: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """The whole document; `schemas` are those that calls name by `shared`.

    Raises LookupError for a call whose handler is not marked.
    """
    marked = [(call, _marked(call)) for call in calls]
    models = {entry: None for _, told in marked for entry in _models(told)} | {(Problem, "serialization"): None}
    names, found = models_json_schema(list(models), ref_template=TEMPLATE)
    paths: dict[str, dict[str, Any]] = {}
    for call, told in marked:
        paths.setdefault(template_of(call.path), {})[call.method] = _operation(call, told, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamapp",
            "version": version("streamapp"),
            "summary": "Slow model inference behind a fast HTTP call.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, **found.get("$defs", {})},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key (`streamapp keys create`)."}
            },
        },
    }


def template_of(path: str) -> str:
    """A registered path without the patterns of its parameters: as OpenAPI writes it, and aiohttp its resource."""
    return PATTERN.sub(r"{\1}", path)


def served(document: Mapping[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """GET /openapi.json."""
    text = json.dumps(document)

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=JSON)

    return handler


def _marked(call: Call) -> Operation:
    told = operation_of(call.handler)
    if told is None:
        raise LookupError(f"{call.method} {call.path} is not described: mark its handler with `operation`")
    return told


def _models(told: Operation) -> Iterator[tuple[type[BaseModel], Mode]]:
    if told.query is not None:
        yield told.query, "validation"
    yield from ((body, "validation") for body in told.bodies.values() if isinstance(body, type))
    yield from ((each.schema, "serialization") for each in told.answers.values() if isinstance(each.schema, type))


Names = Mapping[Any, Mapping[str, Any]]


def _schema(given: Schema, mode: Mode, names: Names) -> Mapping[str, Any]:
    return names[given, mode] if isinstance(given, type) else given


def _operation(call: Call, told: Operation, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": call.handler.__name__,
        "summary": told.summary,
        "tags": [call.path.strip("/").removeprefix("v1/").partition("/")[0]],
        "parameters": [*_in_path(call.path), *_in_query(told), *_in_headers(told)],
        "responses": {str(status): each for status, each in sorted(_responses(told, names).items())},
    }
    if told.description:
        found["description"] = told.description
    if told.bodies:
        content = {kind: {"schema": _schema(each, "validation", names)} for kind, each in told.bodies.items()}
        found["requestBody"] = {"required": told.body_required, "content": content}
    if call.scope is not None:
        found["security"] = [{"key": [call.scope]}]
    return found


def _in_path(path: str) -> list[dict[str, Any]]:
    patterns = dict(PATTERN.findall(path))
    return [
        {"name": name, "in": "path", "required": True, "schema": _segment(patterns.get(name))}
        for name in PARAMETER.findall(template_of(path))
    ]


def _segment(pattern: str | None) -> dict[str, Any]:
    return {"type": "string", **({"pattern": f"^{pattern}$"} if pattern else {"minLength": 1})}


def _in_query(told: Operation) -> list[dict[str, Any]]:
    beside = [{"name": name, "in": "query", "required": False, **_apart(each)} for name, each in told.beside.items()]
    if told.query is None:
        return beside
    schema = told.query.model_json_schema(ref_template=TEMPLATE)
    required = schema.get("required", ())
    return beside + [
        {"name": name, "in": "query", "required": name in required, **_apart(each)}
        for name, each in schema["properties"].items()
    ]


def _apart(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's description stands beside its schema."""
    rest = {name: value for name, value in schema.items() if name not in ("description", "title")}
    return {"schema": rest, **({"description": schema["description"]} if "description" in schema else {})}


def _in_headers(told: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "header", "required": False, **_apart(each)} for name, each in told.headers.items()]


def _responses(told: Operation, names: Names) -> dict[int, dict[str, Any]]:
    problems = {status: _problem(status, words, names) for status, words in {**ANYWHERE, **told.problems}.items()}
    return problems | {status: _answer(each, names) for status, each in told.answers.items()}


def _answer(given: Answer, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {"description": given.description}
    if given.headers:
        found["headers"] = {
            name: {"description": words, "schema": {"type": "string"}} for name, words in given.headers.items()
        }
    if given.schema is not None:
        kinds = {given.media_type: given.schema, **given.also}
        found["content"] = {kind: {"schema": _schema(each, "serialization", names)} for kind, each in kinds.items()}
    if given.links:
        found["links"] = {
            name: {"operationId": link.operation, "parameters": dict(link.parameters)}
            for name, link in given.links.items()
        }
    return found


def _problem(status: int, words: str, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": words or HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": names[Problem, "serialization"]}},
    }
    if status in (429, 503):
        found["headers"] = {"Retry-After": SECONDS}
    return found
