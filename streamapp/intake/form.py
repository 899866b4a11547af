"""A form (RFC 7578): its fields, in any order, and its file, which goes on while it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import BodyPartReader, web

from streamapp.intake.asked import Asked
from streamapp.intake.fields import JSON_FIELDS, UNNAMED, known_text, with_document
from streamapp.intake.pace import Pace
from streamapp.intake.refusal import Refused
from streamapp.intake.upload import Upload

__all__ = ["FIELDS", "nothing_else", "read_form"]

FIELDS = ("task", "text", "name", "email", "webhook", "deadline", "media_type", *JSON_FIELDS)
AT_A_TIME = 64 * 1024


def nothing_else(name: str) -> bool:
    """No field but those of a job."""
    return False


async def read_form(
    request: Asked, pace: Pace, upload: Upload, also: Callable[[str], bool] = nothing_else
) -> tuple[dict[str, Any], bool]:
    """The fields, and whether there was a file, which `upload` has then; `also` says which others are taken, as text.

    Raises `Refused`, and aiohttp's own for fields that are too large together.
    """
    fields: dict[str, Any] = {}
    names: set[str] = set()
    about: tuple[str, str | None] | None = None
    left = request.client_max_size
    async for part in _parts(request, pace):
        name = str(part.name)
        if name in names:
            raise Refused(422, f"There are two parts named {name}; send one.", field=name)
        names.add(name)
        if name == "file":
            await _spool(part, pace, upload)
            if upload.size or part.filename:  # else the file field of a form that was left empty
                about = (part.headers.get("Content-Type", UNNAMED), part.filename)
        else:
            content = await _held(part, pace, left)
            left -= len(content)
            _take(fields, name, content, also)
    if about is not None:
        with_document(fields, upload, *about)
    return fields, about is not None


async def _parts(request: Asked, pace: Pace) -> AsyncIterator[BodyPartReader]:
    try:
        reader = await request.multipart()
        while (part := await pace.wait(reader.next())) is not None:
            if not isinstance(part, BodyPartReader) or not part.name:
                raise Refused(400, "Each part of the form needs a name of its own.", field="body")
            yield part
    except (ValueError, AssertionError, RuntimeError) as error:
        raise _unreadable(error) from error


async def _chunks(part: BodyPartReader, pace: Pace) -> AsyncIterator[bytes]:
    try:
        while chunk := await pace.wait(part.read_chunk(AT_A_TIME)):
            pace.came(len(chunk))
            yield bytes(part.decode(chunk))
    except (ValueError, AssertionError, RuntimeError) as error:  # all that aiohttp's reader raises by itself
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Refused:
    return Refused(400, f"The form can't be read: {error or type(error).__name__}.", field="body")


async def _spool(part: BodyPartReader, pace: Pace, upload: Upload) -> None:
    async for chunk in _chunks(part, pace):
        await upload.add(chunk)
    await upload.end()


async def _held(part: BodyPartReader, pace: Pace, most: int) -> bytes:
    content = bytearray()
    async for chunk in _chunks(part, pace):
        content += chunk
        if len(content) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(content))
    return bytes(content)


def _take(fields: dict[str, Any], name: str, content: bytes, also: Callable[[str], bool]) -> None:
    if name not in FIELDS and not also(name):
        there = ", ".join(("file", *FIELDS))
        detail = f"There is no such field; there are {there}. A task's parameters go into params, as a JSON object."
        raise Refused(422, detail, field=name)
    value = known_text(name, content)
    if value is not None:
        fields[name] = value
