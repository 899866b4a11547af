"""What is sent as a job: its fields as JSON or as a form, and its document, which is read while it goes out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypedDict

from streamapp.wording import a_time

__all__ = ["Content", "Deadline", "Document", "File", "Sending", "as_form", "document_of", "fields_of"]

File: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or a file that is open for reading bytes, which is sent from its beginning."""

Content: TypeAlias = bytes | BinaryIO

Deadline: TypeAlias = datetime | timedelta | str
"""A time with its offset, also as text (RFC 3339: "2030-01-31T12:00:00Z"), or how long from now."""


class Sending(TypedDict, total=False):
    """What a job may be given beside its document; `GET /v1/limits` says within which limits.

    `name` is what to call it, `media_type` what its document is, if neither its name nor its bytes say. `deadline` is
    when the result is of no more use.
    """

    name: str
    media_type: str
    params: Mapping[str, Any]
    email: str
    webhook: str
    priority: int
    deadline: Deadline
    fresh: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document: how to open it for one attempt, its name, its media type, and whether it can be read again."""

    opened: Callable[[], AbstractContextManager[Content]]
    name: str | None
    media_type: str | None
    repeatable: bool = True


def document_of(file: File, name: str | None, media_type: str | None) -> Document:
    """The document that a file is. Raises TypeError for a file that gives text, and for what is none."""
    if isinstance(file, bytes):
        return Document(lambda: nullcontext(file), name, media_type)
    if isinstance(file, str | os.PathLike):
        path = Path(file)
        return Document(lambda: path.open("rb"), path.name, media_type)
    if hasattr(file, "encoding"):
        raise TypeError('The file gives text: open it in binary mode ("rb").')
    if not hasattr(file, "read"):
        raise TypeError(f'file= is a path, bytes, or a file that is open for reading bytes ("rb"), not {_kind(file)}.')
    own = getattr(file, "name", None)
    named = Path(own).name if isinstance(own, str) else name
    return Document(lambda: nullcontext(file), named, media_type, repeatable=file.seekable())


def fields_of(task: str, sending: Sending) -> dict[str, Any]:
    """The fields of a job as JSON has them; those that are None are left out. Raises TypeError and ValueError."""
    fields: dict[str, Any] = {"task": task, **sending}
    if fields.get("deadline") is not None:
        fields["deadline"] = _moment(fields["deadline"]).isoformat()
    return {name: value for name, value in fields.items() if value is not None}


def as_form(fields: Mapping[str, Any]) -> dict[str, str]:
    """The same as a form has them: text as it is, all else as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


def _moment(deadline: Deadline) -> datetime:
    if isinstance(deadline, timedelta):
        return datetime.now(UTC) + deadline
    moment = _parsed(deadline) if isinstance(deadline, str) else deadline
    if not isinstance(moment, datetime):
        raise TypeError(
            "deadline= is a datetime with its offset, the same as text (RFC 3339), or a timedelta from now, "
            f"not {_kind(deadline)}."
        )
    if moment.tzinfo is None:
        raise ValueError("The deadline has no offset: give it one (datetime.now(UTC) + …), or a timedelta from now.")
    return moment


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f'The deadline {text!r} is no time: write it like "{a_time()}".') from error


def _kind(value: object) -> str:
    return type(value).__name__
