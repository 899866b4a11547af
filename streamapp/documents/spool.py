"""A document on its way into the blob store, a piece at a time, so that no more of it is in memory than a few pieces.

Nothing is at its path before it is complete: a local store writes beside it and renames, a bucket uploads in parts
(S3, multipart upload). What a crash leaves of one is found by `streamapp.jobs.orphans`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import obstore

from streamapp.documents.claim import BLOB, Blobs
from streamapp.errors import StoreUnavailable

__all__ = ["FAILURES", "PARTS", "Spool", "left_behind", "unkept"]

logger = logging.getLogger(__name__)

PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes for a part, but the last
LOCAL_PART_BYTES = 1024 * 1024
PARTS = 2  # on the way at a time; with the one that is filled they are what is in memory

FAILURES = (OSError, obstore.exceptions.BaseError)


class Spool:
    """One document. Either `finish` or `abandon` ends it; `abandon` may also come after `finish`."""

    def __init__(self, blobs: Blobs, path: str) -> None:
        self._blobs = blobs
        self._path = path
        size = PART_BYTES if blobs.folder is None else LOCAL_PART_BYTES
        self._writer = self._open(size)

    def _open(self, part_bytes: int) -> Any:
        return obstore.open_writer_async(self._blobs.store, self._path, buffer_size=part_bytes, max_concurrency=PARTS)

    async def write(self, piece: bytes) -> None:
        """Add to it. Raises `StoreUnavailable`."""
        try:
            await self._writer.write(piece)
        except FAILURES as error:
            raise unkept(error) from error

    async def finish(self) -> str:
        """Complete it; returns its reference. On a local disk it is synced before this returns."""
        try:
            await self._writer.close()
            self._writer = None
            await asyncio.to_thread(self._blobs.sync, self._path)
        except FAILURES as error:
            raise unkept(error) from error
        return BLOB + self._path

    async def abandon(self) -> None:
        """Leave nothing of it. Never raises: what can't be removed now is an orphan, and those are looked for."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(*FAILURES):
                await writer.close()  # what is in parts can be removed only once it is a whole
        del writer  # where closing failed, this removes the local file
        try:
            await asyncio.to_thread(self._blobs.delete, BLOB + self._path)
        except FAILURES as error:
            left_behind(self._path, error)


def unkept(error: Exception) -> StoreUnavailable:
    """What a failure of the blob store is to who sent the document."""
    return StoreUnavailable(f"the document can't be kept: {error}")


def left_behind(path: str, error: Exception) -> None:
    """Log it: the sweep of orphans will come by."""
    logger.warning("%s is left behind: %s", path, error)
