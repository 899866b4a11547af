"""Server-sent events as bytes come in (WHATWG HTML, 9.2.6). What a connection breaks off in the middle is no event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Block", "Decoder"]

LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Block:
    """What stands between two empty lines. `id` is None where none was said; without `data` it is no event."""

    event: str = "message"
    data: list[str] = field(default_factory=list)
    id: str | None = None
    retry_ms: int | None = None


class Decoder:
    """Makes blocks of the pieces of one connection."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []  # the pieces of a line without its end
        self._after_return = False
        self._first = True
        self._block = Block()

    def feed(self, piece: bytes) -> Iterator[Block]:
        """The blocks that end in this piece."""
        for line in self._lines(piece):
            if line:
                self._take(line.decode("utf-8", "replace"))
            else:
                block, self._block = self._block, Block()
                yield block

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        if not piece:
            return
        if self._after_return and piece.startswith(b"\n"):  # one end of a line, cut in two
            piece = piece[1:]
        self._after_return = piece.endswith(b"\r")
        first, *rest = LINE_END.split(piece)
        self._begun.append(first)
        for following in rest:
            line = b"".join(self._begun)
            self._begun = [following]
            yield line.removeprefix(BOM) if self._first else line
            self._first = False

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._block.event = value
        elif name == "data":
            self._block.data.append(value)
        elif name == "id" and "\0" not in value:
            self._block.id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._block.retry_ms = int(value[:9])
