"""Text that is too long to be held in memory: looked at while it goes by, and brought to UTF-8 a piece at a time.

Most text is UTF-8 as it comes, and then there is nothing to do but to have looked. See docs/adr/0021.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from streamapp.documents.charset import not_in, refuse_unknown
from streamapp.documents.text import EMPTY, NULS, encoding_of
from streamapp.errors import BadDocument

__all__ = ["TextLook", "normal_pieces", "refuse_unfit", "stays_as_it_is"]

HELD_BACK = 64 * 1024  # bytes a decoder may keep for later: UTF-7 would keep, and read again, a run of any length


class _Decoding:
    """An incremental decoder that says in whose bytes, counted from the start, it found what is wrong."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._fed = 0

    def text(self, piece: bytes, *, last: bool = False) -> str:
        """The characters that this piece completes. Raises `BadDocument`."""
        before = self._fed - self._kept()
        self._fed += len(piece)
        try:
            text = self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            raise not_in(self._encoding, f"{error.reason} at byte {before + error.start}") from error
        except UnicodeError as error:
            raise not_in(self._encoding, str(error)) from error
        if self._kept() > HELD_BACK:
            raise not_in(self._encoding, f"at byte {before} begins what has no end; so long a text is taken in UTF-8")
        return text

    def _kept(self) -> int:
        return len(self._decoder.getstate()[0])


class TextLook:
    """What the bytes that go by say of themselves as text, taken as UTF-8."""

    def __init__(self) -> None:
        self.wrong: BadDocument | None = None
        self.nuls = False
        self.blank = True
        self._decoding = _Decoding("utf-8")

    def add(self, piece: bytes, *, last: bool = False) -> None:
        """Look at the next piece."""
        if self.wrong is not None:
            return
        try:
            text = self._decoding.text(piece, last=last)
        except BadDocument as error:
            self.wrong = error
            return
        self.nuls = self.nuls or "\0" in text
        self.blank = self.blank and not text.strip()


def stays_as_it_is(head: bytes, media_type: str) -> bool:
    """Whether a text that begins like this is said to be what tasks get. Raises `BadDocument` for no charset."""
    encoding = encoding_of(head, media_type)
    refuse_unknown(encoding)
    return codecs.lookup(encoding).name == "utf-8"


def refuse_unfit(look: TextLook) -> None:
    """Raise `BadDocument` for what was looked at and is no text in UTF-8."""
    if look.wrong is not None:
        raise look.wrong
    if look.nuls:
        raise BadDocument(NULS)
    if look.blank:
        raise BadDocument(EMPTY)


def normal_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The same text in UTF-8. Raises `BadDocument` as soon as it meets what does not belong there."""
    decoding = _Decoding(encoding)
    blank = True
    for text in _texts(decoding, pieces):
        if "\0" in text:
            raise BadDocument(NULS)
        blank = blank and not text.strip()
        try:
            yield text.encode("utf-8")
        except UnicodeError as error:
            raise not_in(encoding, str(error)) from error
    if blank:
        raise BadDocument(EMPTY)


def _texts(decoding: _Decoding, pieces: Iterable[bytes]) -> Iterator[str]:
    for piece in pieces:
        yield decoding.text(piece)
    yield decoding.text(b"", last=True)
