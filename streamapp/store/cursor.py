"""Where a page of a listing ends, as the opaque text that a client hands back."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass

__all__ = ["Cursor", "pack", "unpack"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page of jobs."""

    created_at: float
    id: str


def pack(cursor: Cursor) -> str:
    """The cursor as text (base64url, RFC 4648)."""
    return base64.urlsafe_b64encode(json.dumps([cursor.created_at, cursor.id]).encode()).decode("ascii").rstrip("=")


def unpack(text: str) -> Cursor:
    """The cursor again. Raises ValueError for text that `pack` did not give."""
    try:
        created_at, identity = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not (isinstance(created_at, float) and math.isfinite(created_at) and isinstance(identity, str)):
            raise TypeError
        return Cursor(created_at, identity)
    except (binascii.Error, UnicodeDecodeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("this is no cursor of this API") from error
