"""Reading a request's body as the fields of a submission: JSON, or a form with a file."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import BodyPartReader, web

from streamapp.documents.kinds import HTML, TEXT, guess_type, sniff
from streamapp.intake.jsontext import parse_object, parse_value
from streamapp.intake.refusal import Refused

__all__ = ["check_encoding", "read_fields"]

FORM_TEXTS = ("task", "text", "name", "email", "deadline", "media_type")
FORM_JSON = ("params", "priority", "fresh")
ENCODINGS = ("identity", "gzip", "deflate")


async def read_fields(request: web.Request) -> dict[str, Any]:
    """The fields of a job. Raises `Refused` for what is neither, and aiohttp's own for a body that is too large."""
    if request.content_type == "multipart/form-data":
        check_encoding(request)
        return await _form(request)
    if request.content_type in ("application/json", "application/octet-stream") or request.content_type.endswith(
        "+json"
    ):
        check_encoding(request)
        return parse_object(await request.read())
    raise Refused(
        415, f"Send application/json or multipart/form-data, not {request.content_type}.", field="Content-Type"
    )


def check_encoding(request: web.Request) -> None:
    """Refuse a body in an encoding that was not undone: it would be taken for what it is not."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ENCODINGS:
        raise Refused(
            415, f"Send the body as it is, or in gzip or deflate, not in {encoding}.", field="Content-Encoding"
        )


async def _form(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    names: set[str] = set()
    left = request.client_max_size
    if (request.content_length or 0) > left:
        raise web.HTTPRequestEntityTooLarge(max_size=left, actual_size=request.content_length or 0)
    async for part, content in _parts(request, left):
        name = str(part.name)
        if name in names:
            raise Refused(422, f"There are two parts named {name}; send one.", field=name)
        names.add(name)
        _take(fields, name, part, content)
    return fields


async def _parts(request: web.Request, left: int) -> AsyncIterator[tuple[BodyPartReader, bytes]]:
    """The parts with their content, of `left` bytes together at most."""
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise Refused(400, "Each part of the form needs a name of its own.", field="body")
            content = await _read(part, left)
            left -= len(content)
            yield part, content
    except (ValueError, AssertionError, RuntimeError) as error:  # all that aiohttp's reader raises by itself
        raise Refused(400, f"The form can't be read: {error or type(error).__name__}.", field="body") from error


async def _read(part: BodyPartReader, limit: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        content += part.decode(chunk)
        if len(content) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(content))
    return bytes(content)


def _take(fields: dict[str, Any], name: str, part: BodyPartReader, content: bytes) -> None:
    if name == "file":
        if not content and not part.filename:
            return  # the file field of a form that was left empty
        fields["document"] = base64.b64encode(content).decode("ascii")
        fields.setdefault("media_type", _media_type(part, content))
        if part.filename:
            fields.setdefault("name", part.filename[:200])
        return
    if name not in FORM_TEXTS + FORM_JSON:
        there = ", ".join(("file", *FORM_TEXTS, *FORM_JSON))
        detail = f"There is no such field; there are {there}. A task's parameters go into params, as a JSON object."
        raise Refused(422, detail, field=name)
    if name in FORM_JSON and content:
        fields[name] = parse_value(content, name)
    elif content:
        fields[name] = _text(name, content)


def _media_type(part: BodyPartReader, content: bytes) -> str:
    """What the part says; where that is nothing in particular, what its name or its bytes say."""
    declared = part.headers.get("Content-Type", "application/octet-stream")
    if not declared.startswith("application/octet-stream"):
        return declared
    looks = sniff(content)
    if looks is not None and looks.media_type != HTML:
        return declared  # what these bytes are, no name tells better
    guessed = guess_type(part.filename or "")
    if guessed is not None or looks is not None:
        return guessed or HTML
    return TEXT if _is_text(content) else declared


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(422, f"{name}: this is not UTF-8 text.", field=name) from error
