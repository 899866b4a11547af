"""Bodies that come compressed: whoever reads JSON takes the same encodings, and refuses others in the same words."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from streamapp.intake.asked import Asked
from streamapp.intake.refusal import Refused

__all__ = ["check_encoding", "parsed"]

ENCODINGS = ("identity", "gzip", "deflate")


def parsed(body: bytes, packed: bool, parse: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    """The fields in a body. Raises `Refused`, which says so where half of a compressed one may be the reason."""
    try:
        return parse(body)
    except Refused as error:
        if not packed or error.problem.status != HTTPStatus.BAD_REQUEST:
            raise
        detail = f"{error.problem.detail} That is what came of decompressing the body: was it compressed, and whole?"
        raise Refused(400, detail, field="body") from error


def check_encoding(request: Asked) -> bool:
    """Whether the body was compressed. An encoding that was not undone is refused: it would be taken for content."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ENCODINGS:
        raise Refused(
            415, f"Send the body as it is, or in gzip or deflate, not in {encoding}.", field="Content-Encoding"
        )
    return encoding != "identity"
