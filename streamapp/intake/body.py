"""Reading a request's body as the fields of a submission: JSON, or a form with a file."""

from __future__ import annotations

import base64
import json
from typing import Any

from aiohttp import BodyPartReader, web

from streamapp.intake.refusal import Refused
from streamapp.intake.submission import parse_json

__all__ = ["read_fields"]

FORM_TEXTS = ("task", "text", "name", "email", "deadline", "media_type")
FORM_JSON = ("params", "priority")


async def read_fields(request: web.Request) -> dict[str, Any]:
    """The fields of a job. Raises `Refused` for what is neither, and aiohttp's own for a body that is too large."""
    if request.content_type == "multipart/form-data":
        return await _form(request)
    if request.content_type in ("application/json", "application/octet-stream") or request.content_type.endswith(
        "+json"
    ):
        return parse_json(await request.read())
    raise Refused(
        415, f"Send application/json or multipart/form-data, not {request.content_type}.", field="Content-Type"
    )


async def _form(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    left = request.client_max_size
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise Refused(400, "Each part of the form needs a name of its own.", field="body")
            if part.name in fields:
                raise Refused(422, f"There are two parts named {part.name}.", field=part.name)
            content = await _read(part, left)
            left -= len(content)
            _take(fields, part, content)
    except (ValueError, AssertionError) as error:
        raise Refused(400, f"The form can't be read: {error or type(error).__name__}.", field="body") from error
    return fields


async def _read(part: BodyPartReader, limit: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        content += part.decode(chunk)
        if len(content) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(content))
    return bytes(content)


def _take(fields: dict[str, Any], part: BodyPartReader, content: bytes) -> None:
    name = str(part.name)
    if name == "file":
        if not content and not part.filename:
            return  # the file field of a form that was left empty
        fields["document"] = base64.b64encode(content).decode("ascii")
        fields.setdefault("media_type", _media_type(part))
        if part.filename:
            fields.setdefault("name", part.filename[:200])
        return
    if name not in FORM_TEXTS + FORM_JSON:
        raise Refused(422, f"{name}: there is no such field.", field=name)
    text = _text(name, content)
    if name in FORM_JSON and text:
        fields[name] = _json(name, text)
    elif text:
        fields[name] = text


def _media_type(part: BodyPartReader) -> str:
    """What the part says; a nameless kind of file with the name of a text is text."""
    declared = part.headers.get("Content-Type", "application/octet-stream")
    plain = declared.startswith("application/octet-stream") and (part.filename or "").lower().endswith(
        (".txt", ".text")
    )
    return "text/plain" if plain else declared


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(422, f"{name}: this is not UTF-8 text.", field=name) from error


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"{name}: this is not JSON: {error}.", field=name) from error
