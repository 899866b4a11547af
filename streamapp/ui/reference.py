"""The OpenAPI document as what the page *API* shows: calls with their parameters and answers, and what fields mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

__all__ = ["CallEntry", "FieldRow", "Reference", "SchemaEntry", "breakable", "coded", "reference"]

Document = Mapping[str, Any]
BETWEEN = re.compile(r"/(?={)|(?<=})/")  # a parameter and what stands beside it
CODE = re.compile(r"`([^`]+)`")
REF = "$ref"


class FieldRow(NamedTuple):
    """A parameter or a field: its name, what it may be, whether it must be there, and what it means."""

    name: str
    kind: str
    required: bool
    words: str


class AnswerRow(NamedTuple):
    """An answer: its status, what it says, and the name of its schema."""

    status: str
    words: str
    schema: str


class CallEntry(NamedTuple):
    """A method of a path. `bodies` are content types with the name of their schema, or its kind in words."""

    anchor: str
    method: str
    path: str
    summary: str
    words: str
    scope: str
    parameters: Sequence[FieldRow]
    bodies: Sequence[tuple[str, str]]
    answers: Sequence[AnswerRow]


class SchemaEntry(NamedTuple):
    """An object that calls take or answer with."""

    name: str
    words: str
    fields: Sequence[FieldRow]


class Reference(NamedTuple):
    """The whole page."""

    version: str
    groups: Mapping[str, Sequence[CallEntry]]
    schemas: Sequence[SchemaEntry]


def reference(document: Document) -> Reference:
    """What the page shows of that document."""
    groups: dict[str, list[CallEntry]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            groups.setdefault(told["tags"][0], []).append(_call(path, method, told))
    schemas = [_entry(name, schema) for name, schema in document["components"]["schemas"].items()]
    return Reference(document["info"]["version"], groups, [entry for entry in schemas if entry.fields])


def breakable(path: str) -> Markup:
    """The path, which may be broken before and behind a parameter, so that it is not broken within one."""
    return Markup("<wbr>").join(_pieces(path))


def coded(words: str) -> Markup:
    """The words, with what stands between backticks as code: the description has Markdown there."""
    parts = CODE.split(words)  # every other one stood between two
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _pieces(path: str) -> Iterator[str]:
    start = 0
    for match in BETWEEN.finditer(path):
        yield path[start : match.end()]
        start = match.end()
    yield path[start:]


def _call(path: str, method: str, told: Document) -> CallEntry:
    parameters = [
        FieldRow(f"{each['name']}", f"{_kind(each['schema'])} in {each['in']}", each["required"], _words(each))
        for each in told["parameters"]
    ]
    bodies = told.get("requestBody", {}).get("content", {})
    scopes = [scope for each in told.get("security", ()) for scope in each["key"]]
    return CallEntry(
        anchor=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        words=told.get("description", ""),
        scope=", ".join(scopes),
        parameters=parameters,
        bodies=[(kind, _kind(body["schema"])) for kind, body in bodies.items()],
        answers=list(_answers(told)),
    )


def _answers(told: Document) -> Iterator[AnswerRow]:
    for status, each in told["responses"].items():
        kinds = [_kind(body["schema"]) for body in each.get("content", {}).values()]
        yield AnswerRow(status, each["description"], ", ".join(kinds))


def _entry(name: str, schema: Document) -> SchemaEntry:
    required = schema.get("required", ())
    fields = [
        FieldRow(field, _kind(each), field in required, _words(each))
        for field, each in schema.get("properties", {}).items()
    ]
    return SchemaEntry(name, schema.get("description", "").partition("\n\n")[0], fields)


def _words(schema: Document) -> str:
    words = schema.get("description", "")
    default = schema.get("schema", schema).get("default")
    return f"{words} Default: {json.dumps(default)}.".strip() if default not in (None, {}, []) else words


def _kind(schema: Document) -> str:
    """A schema in a few words: ``integer, 1 to 100``, ``list of Job``, ``text or null``."""
    if REF in schema:
        return str(schema[REF]).rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_kind(each) for each in schema[several]))
    if "enum" in schema or "const" in schema:
        return " or ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return f"{schema.get('format') or schema.get('type', 'anything')}{_bounds(schema)}"


def _bounds(schema: Document) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    if low is None and high is None:
        return ""
    unit = " characters" if "minLength" in schema or "maxLength" in schema else ""
    if high is None:
        return f", {low}{unit} or more"
    return f", {low} to {high}{unit}" if low is not None else f", {high}{unit} at most"
