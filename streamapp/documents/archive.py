"""A zip archive from somebody unknown, as EPUB and DOCX are: checked before it is read, and counted while it is.

A bomb is small and expands to much, by one large part or by many; here every byte that comes out is counted against one
budget, whatever the directory says. Nothing is ever written to a file, and archives within it are not opened.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from streamapp.documents.limits import MIB, Budget, Limits
from streamapp.errors import BadDocument

__all__ = ["Archive"]

ENCRYPTED: Final = 0x1
END, END_SIZE, LONGEST_COMMENT = b"PK\x05\x06", 22, 0xFFFF
ENTRY: Final = 256  # bytes of the directory for an entry, its name included; more is no book's
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
PIECE: Final = 64 * 1024

# all that zipfile raises by itself for an archive that is damaged or made to harm
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    LookupError,
)


class Archive:
    """An archive's parts by their names. Raises `BadDocument`, in words, for what can't be read or is too much."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        _check_directory(file, limits)
        try:
            self._zip = zipfile.ZipFile(file)
        except DAMAGE as error:
            raise _damaged(error) from error
        self._budget = Budget(limits.expanded, "The archive expands to")
        entries = self._zip.infolist()
        self._parts = {entry.filename: entry for entry in entries}
        _check_entries(entries, limits)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    @property
    def names(self) -> list[str]:
        """The parts."""
        return list(self._parts)

    def pieces(self, name: str) -> Iterator[bytes]:
        """A part, piece by piece."""
        if name not in self._parts:
            raise BadDocument(f"The archive is damaged: its part {name[:100]!r} is missing.")
        try:
            with self._zip.open(self._parts[name]) as part:
                while piece := part.read(PIECE):
                    self._budget.spend(len(piece))
                    yield piece
        except DAMAGE as error:
            raise _damaged(error) from error

    def read(self, name: str) -> bytes:
        """A whole part."""
        return b"".join(self.pieces(name))


def _check_directory(file: BinaryIO, limits: Limits) -> None:
    """Before zipfile reads the directory, since it keeps an object for each of any number of entries."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE - LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_SIZE:
        raise BadDocument("The archive is damaged or not complete: its directory is missing.")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    if count > limits.entries or length > limits.entries * ENTRY:
        raise BadDocument(f"The archive has more than {limits.entries:,} parts, or is no archive of a book.")


def _check_entries(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise BadDocument(f"The archive has more than {limits.entries:,} parts.")
    if any(entry.flag_bits & ENCRYPTED for entry in entries):
        raise BadDocument("The archive is encrypted; send it without a password.")
    if any(entry.compress_type not in METHODS for entry in entries):
        raise BadDocument("The archive is compressed in a way that no book is.")
    if sum(entry.file_size for entry in entries) > limits.expanded:
        raise BadDocument(f"The archive expands to more than {limits.expanded / MIB:g} MiB.")


def _damaged(error: Exception) -> BadDocument:
    return BadDocument(f"The archive is damaged: {error or type(error).__name__}.")
