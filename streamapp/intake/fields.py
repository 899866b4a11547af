"""The fields of a job as they come in forms and in queries: all of them are text there, and some of it is JSON."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from multidict import MultiMapping

from streamapp.documents.kinds import HTML, TEXT, Looks, guess_type, sniff
from streamapp.intake.jsontext import parse_value
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import RIGHT
from streamapp.intake.upload import Upload

__all__ = ["JSON_FIELDS", "QUERY", "UNNAMED", "from_query", "known_text", "refuse_query", "with_document"]

UNNAMED = "application/octet-stream"  # nothing in particular
JSON_FIELDS = ("params", "priority", "fresh")
QUERY = ("task", "name", "email", "webhook", "deadline", "media_type", *JSON_FIELDS)
LONGEST_NAME = 200


def from_query(query: MultiMapping[str]) -> dict[str, Any]:
    """The fields in a query. Raises `Refused` for one that is no field, or is there twice."""
    fields: dict[str, Any] = {}
    for name, value in query.items():
        if name in fields:
            raise Refused(422, f"There are two values of {name}; send one.", field=name)
        if name not in QUERY:
            there = ", ".join(QUERY)
            raise Refused(422, f"There is no such field; beside a document there are {there}.", field=name)
        fields[name] = known_text(name, value.encode("utf-8", "surrogateescape"))
    return {name: value for name, value in fields.items() if value is not None}


def refuse_query(query: MultiMapping[str]) -> None:
    """Refuse fields where nobody reads them: beside a body that has fields itself. Raises `Refused`."""
    for name in query:
        detail = (
            f"{name}: nothing is read from the query here; put fields into the body. They are in the query only where "
            "the body is the document itself."
        )
        raise Refused(422, detail, field=name)


def known_text(name: str, content: bytes) -> Any:
    """The field's value; None for one that was left empty. Raises `Refused`."""
    if not content:
        return None
    if name in JSON_FIELDS:
        return _json(name, content)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(422, f"{name}: this is not UTF-8 text.", field=name) from error


def _json(name: str, content: bytes) -> Any:
    try:
        return parse_value(content, name)
    except Refused as error:
        if error.problem.status != HTTPStatus.BAD_REQUEST:
            raise
        why = f" {error.problem.detail}" if name == "params" else ""  # whoever meant a number meant no JSON
        raise Refused(422, f"{name}: {RIGHT[name]}.{why}", field=name) from error


def with_document(fields: dict[str, Any], upload: Upload, declared: str, filename: str | None) -> None:
    """Add what a document says of itself, where no field says otherwise."""
    if "media_type" not in fields:
        beginning = upload.head if upload.content is None else upload.content
        fields["media_type"] = media_type_of(declared, filename, sniff(beginning), upload.is_text)
    if filename:
        fields.setdefault("name", filename[:LONGEST_NAME])


def media_type_of(declared: str, filename: str | None, looks: Looks | None, is_text: Callable[[], bool]) -> str:
    """What was declared; where that is nothing in particular, what its bytes or its name say."""
    if not declared.startswith(UNNAMED):
        return declared
    if looks is not None and looks.media_type != HTML:
        return declared  # what these bytes are, no name tells better
    guessed = guess_type(filename or "")
    if guessed is not None or looks is not None:
        return guessed or HTML
    return TEXT if is_text() else declared
