"""What a call takes and answers, said where it is handled: the OpenAPI document is made of nothing else.

A handler is marked with `operation`. The models named there are those that the handler itself checks with and answers
with, so that the description can't say one thing and the service do another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["JSON", "Answer", "Link", "Operation", "operation", "operation_of", "shared"]

JSON = "application/json"
ATTRIBUTE = "__operation__"

F = TypeVar("F", bound=Callable[..., Any])
Schema = type[BaseModel] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """What to call next: an operation, and where in this answer its path parameters are (OpenAPI 3.1, Link Object)."""

    operation: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `schema` is a model, or a schema as it stands; `also` has those of other media types.

    `headers` by name, with what they say.
    """

    description: str
    schema: Schema | None = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, Schema] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `problems` are the 4xx and 5xx that the handler itself answers with; those that any call may meet are added to them.
    `query` is the model that the query is checked with, `headers` what it reads of the request's, `bodies` the schema
    of each content type that it takes; `beside` the fields that the query has where the body is a document alone.
    """

    summary: str
    answers: Mapping[int, Answer]
    problems: Mapping[int, str] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    body_required: bool = True
    description: str = ""


def shared(name: str) -> Mapping[str, Any]:
    """A schema that `streamapp.intake.openapi.describe` is given by that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def operation(summary: str, answers: Mapping[int, Answer], **rest: Any) -> Callable[[F], F]:
    """Say what the handler takes and answers; `rest` as in `Operation`."""
    described = Operation(summary, answers, **rest)

    def mark(handler: F) -> F:
        setattr(handler, ATTRIBUTE, described)
        return handler

    return mark


def operation_of(handler: Callable[..., Any]) -> Operation | None:
    """What a handler was marked with."""
    found: Operation | None = getattr(handler, ATTRIBUTE, None)
    return found
