"""The claim check (Hohpe and Woolf, Enterprise Integration Patterns): a document travels as a reference.

The reference is a URL: ``blob:<path>`` names an object in the blob store, and ``data:;base64,…`` (RFC 2397) carries a
small document in itself, which spares a file for what is hardly larger than its name.
"""

from __future__ import annotations

import base64
import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, from_url

from streamapp.errors import BadDocument, StoreUnavailable

__all__ = ["BLOB", "INLINE_BYTES", "Blobs", "ClaimedDocument", "inline"]

INLINE_BYTES = 4096
BLOB, DATA = "blob:", "data:;base64,"


class Blobs:
    """The blob store: a local folder, or a bucket. Its methods block: call them off the event loop."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        if self.folder is not None:
            self.store: Any = LocalStore(self.folder, mkdir=True)
        else:
            self.store = from_url(url)

    def put(self, path: str, content: bytes) -> str:
        """Keep a document; returns its reference. On a local disk it is synced before this returns."""
        if len(content) <= INLINE_BYTES:
            return inline(content)
        try:
            obstore.put(self.store, path, content)
            self.sync(path)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreUnavailable(f"the document can't be kept: {error}") from error
        return BLOB + path

    def sync(self, path: str) -> None:
        """Bring what was written there to the disk, if it is a local one. Raises OSError."""
        if self.folder is not None:
            _sync(self.folder, path)

    def delete(self, reference: str) -> None:
        """Remove a document; none there is fine."""
        if reference.startswith(BLOB):
            with suppress(FileNotFoundError):
                obstore.delete(self.store, reference.removeprefix(BLOB))

    def holds(self, reference: str) -> bool:
        """Whether a document is there. Raises `StoreUnavailable`."""
        if reference.startswith(DATA):
            return True
        try:
            obstore.head(self.store, reference.removeprefix(BLOB))
        except FileNotFoundError:
            return False
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreUnavailable(f"the document can't be looked for: {error}") from error
        return True

    def open(self, reference: str) -> BinaryIO:
        """Read a document from its start. Raises `BadDocument` when it is gone, and `StoreUnavailable`."""
        if reference.startswith(DATA):
            return io.BytesIO(base64.b64decode(reference.removeprefix(DATA)))
        try:
            source = obstore.open_reader(self.store, reference.removeprefix(BLOB))
            return cast(BinaryIO, io.BufferedReader(_Raw(source), buffer_size=1024 * 1024))
        except FileNotFoundError as error:
            raise BadDocument("the document is no longer there") from error
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreUnavailable(f"the document can't be read: {error}") from error

    def claim(self, reference: str, media_type: str, size: int) -> ClaimedDocument:
        """The document as tasks see it."""
        return ClaimedDocument(self, reference, media_type, size)


def inline(content: bytes) -> str:
    """A small document as its own reference."""
    return DATA + base64.b64encode(content).decode("ascii")


@dataclass(frozen=True, slots=True)
class ClaimedDocument:
    """`streamapp.tasks.Document`, read from the blob store when it is asked for."""

    blobs: Blobs
    reference: str
    media_type: str
    size: int

    def open(self) -> BinaryIO:
        """Read it from its start."""
        return self.blobs.open(self.reference)


class _Raw(io.RawIOBase):
    """obstore's reader as Python's own kind of file, so that tasks can wrap it in a TextIOWrapper or a ZipFile."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            read = bytes(self._source.read(len(buffer)))
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreUnavailable(f"the document can't be read on: {error}") from error
        buffer[: len(read)] = read
        return len(read)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._source.seek(offset, whence))

    def tell(self) -> int:
        return int(self._source.tell())


def _sync(folder: Path, path: str) -> None:
    """Bring a file and every name on the way to it to the disk, so that what is accepted survives a power cut."""
    file = folder / path
    for target in (file, *(parent for parent in file.parents if parent.is_relative_to(folder))):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
