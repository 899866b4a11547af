"""A body that comes in over WSGI, read as aiohttp's readers read one, a piece at a time and decompressed on the way."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, LineTooLong
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from streamapp.intake.refusal import Refused

__all__ = ["Coming"]

PIECE = 64 * 1024  # bytes; a server that waits for all of them may wait for long, and nothing can interrupt it
LONGEST_LINE = 128 * 1024


class Coming:
    """The body. `read` gives the next bytes of it, so many at most, and nothing at its end."""

    def __init__(self, read: Callable[[int], bytes], encoding: str = "") -> None:
        self._read = read
        self._encoding = encoding if encoding in ("gzip", "deflate") else ""
        self._inflate: zlib._Decompress | None = None
        self._packed = b""
        self._buffer = bytearray()
        self._ended = False

    def is_eof(self) -> bool:
        """Whether no more of it is to come; what has come may still be unread."""
        return self._ended

    def at_eof(self) -> bool:
        """Whether all of it was read."""
        return not self._fill()

    async def readany(self) -> bytes:
        """What comes next; nothing at its end."""
        return self._taken(len(self._buffer)) if self._fill() else b""

    async def read(self, size: int) -> bytes:
        """The same, and so many bytes at most."""
        return self._taken(min(size, len(self._buffer))) if self._fill() else b""

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """Up to the end of the line, or of the body. Raises aiohttp's own for a line that is too long."""
        most, line = max_line_length or LONGEST_LINE, b""
        while self._fill():
            end = self._buffer.find(b"\n") + 1
            line += self._taken(end or len(self._buffer))
            if len(line) > most:
                raise LineTooLong(line[:100] + b"...", most)
            if end:
                break
        return line

    def unread_data(self, data: bytes) -> None:
        """Give back what was read too much."""
        self._buffer[:0] = data

    def _fill(self) -> bool:
        """Whether there is something to read; only at the end of the body there is nothing."""
        while not self._buffer and not self._ended:
            self._buffer += self._next()
        return bool(self._buffer)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _next(self) -> bytes:
        piece = self._packed or self._come()
        if not self._encoding:
            self._ended = not piece
            return piece
        return self._inflated(piece)

    def _come(self) -> bytes:
        try:
            return self._read(PIECE)
        except RequestEntityTooLarge as error:
            raise Refused(413, "The body is larger than this site takes.", field="body") from error
        except (OSError, HTTPException) as error:
            raise web.RequestPayloadError("it broke off before its end") from error

    def _inflated(self, piece: bytes) -> bytes:
        """No more at a time than a piece has: a few bytes may stand for gigabytes."""
        if self._inflate is None:
            self._inflate = zlib.decompressobj(_window(self._encoding, piece))
        self._packed = b""
        if not piece:
            self._ended = True
            if self._encoding == "deflate" and not self._inflate.eof:
                raise ContentEncodingError("deflate")
            return b""
        try:
            found = self._inflate.decompress(piece, PIECE)
        except zlib.error as error:
            raise ContentEncodingError(f"Can not decode content-encoding: {self._encoding}") from error
        self._packed = self._inflate.unconsumed_tail
        return found


def _window(encoding: str, beginning: bytes) -> int:
    """zlib's wbits: of gzip (RFC 1952), of deflate (RFC 1950), or of deflate without its header, as some send it."""
    if encoding == "gzip":
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if not beginning or beginning[0] & 0xF == 8 else -zlib.MAX_WBITS
