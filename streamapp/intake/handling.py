"""What the handlers have in common: resources as JSON, and ids, numbers and pages as requests name them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from streamapp.intake.jsontext import parse_object
from streamapp.intake.pace import read_whole
from streamapp.intake.packed import check_encoding, parsed
from streamapp.intake.refusal import Refused
from streamapp.store.cursor import Cursor, unpack

__all__ = [
    "LARGEST",
    "LONGEST_PAGE",
    "NO_SUCH",
    "PAGE",
    "WRONG",
    "as_json",
    "cursor_of",
    "known",
    "limit_of",
    "no_such",
    "number_of",
    "optional_object",
    "read_object",
    "uuid_of",
]

PAGE, LONGEST_PAGE = 20, 100
LARGEST = 2**31 - 1  # of ids that are numbers: PostgreSQL refuses a statement with more, where SQLite finds nothing
NO_SUCH = {404: "There is none with this id."}
WRONG = {415: "Its content type or encoding is not taken.", 422: "Something in it is wrong; `errors` names what."}


def as_json(resource: BaseModel, status: int = 200) -> web.Response:
    """A resource as an answer."""
    return web.Response(text=resource.model_dump_json(), status=status, content_type="application/json")


def no_such(kind: str) -> Refused:
    """What is raised where there is nothing, and where there is something of another tenant's."""
    return Refused(404, f"There is no such {kind}.")


def known(job_id: str) -> str:
    """A job's id as the store has it. Raises `Refused` with 404 for what can't be one."""
    identity = uuid_of(job_id)
    if identity is None:
        raise no_such("job")
    return identity


def uuid_of(text: str) -> str | None:
    """A UUID in its usual spelling; None for what is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def number_of(text: str) -> int | None:
    """A whole number that SQL can hold; None for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    number = int(text)
    return number if number <= LARGEST else None


async def optional_object(request: web.Request) -> dict[str, Any]:
    """The body, a JSON object; without one it is empty. Raises `Refused`."""
    packed, raw = check_encoding(request), await read_whole(request)
    return parsed(raw, packed, parse_object) if raw else {}


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body, a JSON object. Raises `Refused`."""
    packed = check_encoding(request)
    return parsed(await read_whole(request), packed, parse_object)


def limit_of(query: Mapping[str, str], size: int) -> int:
    """How many rows the query's `limit` asks for, `size` unless it says. Raises `Refused`."""
    number = number_of(query.get("limit", str(size)))
    if number is None or not 1 <= number <= LONGEST_PAGE:
        raise Refused(422, f"limit: a number from 1 to {LONGEST_PAGE}.", field="limit")
    return number


def cursor_of(text: str | None) -> Cursor | None:
    """Behind which job a page begins; None for the first page. Raises `Refused`."""
    try:
        return None if text is None else unpack(text)
    except ValueError as error:
        raise Refused(422, f"cursor: {error}.", field="cursor") from error
