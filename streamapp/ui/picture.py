"""How large a plot is, read from its first bytes: a page that knows it does not move when the picture comes."""

from __future__ import annotations

import struct

__all__ = ["HEAD", "size_of"]

HEAD = 24
"""So many bytes are looked at: the signature, and the beginning of the chunk IHDR (PNG specification, 5.2, 11.2.1)."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BEGINNING = struct.Struct(">8s4x4sII")


def size_of(head: bytes) -> tuple[int, int] | None:
    """Its width and height in pixels; None for what is no PNG: tasks make them, and nobody looked inside."""
    if len(head) < HEAD:
        return None
    signature, chunk, width, height = BEGINNING.unpack(head[:HEAD])
    return (width, height) if (signature, chunk) == (SIGNATURE, b"IHDR") and width and height else None
