"""A task's parameters as fields of the form, made of their JSON schema: what each is, its bounds, what it means.

Numbers, yes or no, a choice and text have fields of their kind; whatever else there is takes JSON. A field that is left
empty means the default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from streamapp.resources import TaskResource

__all__ = ["PREFIX", "Kind", "Option", "field_of", "options", "shown"]

Kind = Literal["integer", "number", "boolean", "choice", "text", "json"]
Schema = Mapping[str, Any]

KINDS: Mapping[str, Kind] = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}

PREFIX = "option."
"""What the names of these fields begin with: no field of a job's does."""


class Option(NamedTuple):
    """One parameter. `field` is what its field is called in the form, `value` what it holds at first.

    `attributes` bound what is written into it, as HTML has it; `choices` are values, as JSON, with what to call them.
    """

    name: str
    field: str
    label: str
    kind: Kind
    value: str
    words: str
    bounds: str
    required: bool
    attributes: Mapping[str, str]
    choices: Mapping[str, str]


def shown(task: str) -> str:
    """The name of the field that says that a task's options were in the form: a box left empty is not sent at all."""
    return f"{PREFIX}{task}"


def field_of(task: str, name: str) -> str:
    """The name of a parameter's field. Two tasks may have parameters of the same name."""
    return f"{PREFIX}{task}.{name}"


def options(task: TaskResource) -> list[Option]:
    """The task's parameters, in the order of their schema."""
    required = task.params.get("required", ())
    return [
        _option(task, name, _resolved(schema, task.params), name in required)
        for name, schema in task.params.get("properties", {}).items()
    ]


def _option(task: TaskResource, name: str, schema: Schema, required: bool) -> Option:
    kind = _kind(schema)
    return Option(
        name=name,
        field=field_of(task.name, name),
        label=_label(name, schema),
        kind=kind,
        value=_value(kind, schema.get("default")),
        words=schema.get("description", ""),
        bounds=_bounds(schema),
        required=required,
        attributes=_attributes(kind, schema),
        choices=_choices(schema) if kind == "choice" else {},
    )


def _value(kind: Kind, default: Any) -> str:
    if default is None or (kind != "choice" and default in ("", [], {})):
        return ""
    return default if kind == "text" else json.dumps(default, ensure_ascii=False)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """What is said beside a reference and beside "or null" holds for what is meant."""
    if "$ref" in schema:
        there = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        return {**_resolved(there, root), **{key: value for key, value in schema.items() if key != "$ref"}}
    several = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(several) == 1:
        return {**_resolved(several[0], root), **{key: value for key, value in schema.items() if key != "anyOf"}}
    return schema


def _kind(schema: Schema) -> Kind:
    if "enum" in schema or "const" in schema:
        return "choice"
    kind = schema.get("type")
    return KINDS.get(kind, "json") if isinstance(kind, str) else "json"


def _label(name: str, schema: Schema) -> str:
    """The title, where somebody gave one; pydantic makes one of the name, With Each Word In Capitals."""
    words = name.replace("_", " ").strip()
    title = str(schema.get("title", ""))
    return title if title and title != words.title() else words[:1].upper() + words[1:]


def _choices(schema: Schema) -> dict[str, str]:
    values = schema.get("enum", [schema.get("const")])
    texts = {json.dumps(value, ensure_ascii=False): value for value in values}
    return {text: value if isinstance(value, str) else text for text, value in texts.items()}


def _low(schema: Schema) -> Any:
    """The least that a field may hold; only integers have one above what is excluded."""
    if schema.get("type") == "integer" and "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return schema.get("minimum")


def _high(schema: Schema) -> Any:
    if schema.get("type") == "integer" and "exclusiveMaximum" in schema:
        return schema["exclusiveMaximum"] - 1
    return schema.get("maximum")


def _attributes(kind: Kind, schema: Schema) -> dict[str, str]:
    if kind == "text":
        wanted = {"minlength": schema.get("minLength"), "maxlength": schema.get("maxLength")}
    elif kind in ("integer", "number"):
        wanted = {"min": _low(schema), "max": _high(schema), "step": _step(kind, schema)}
    else:
        wanted = {}
    return {name: str(value) for name, value in wanted.items() if value is not None}


def _step(kind: Kind, schema: Schema) -> Any:
    """HTML counts steps from the least value, JSON schema from zero."""
    low, step = _low(schema), schema.get("multipleOf")
    if step is None or (low is not None and low % step):
        return 1 if kind == "integer" else "any"
    return step


def _bounds(schema: Schema) -> str:
    """Bounds in words: a field that only refuses says nothing to those who have not met them yet."""
    low, high = _low(schema), _high(schema)
    if low is not None and high is not None:
        return f"{low} to {high}."
    parts = [
        ("at least", low),
        ("above", schema.get("exclusiveMinimum") if low is None else None),
        ("at most", high),
        ("below", schema.get("exclusiveMaximum") if high is None else None),
    ]
    said = " and ".join(f"{word} {bound}" for word, bound in parts if bound is not None)
    if schema.get("type") == "string" and (most := schema.get("maxLength")):
        said = f"at most {most} characters"
    return f"{said[:1].upper()}{said[1:]}." if said else ""
