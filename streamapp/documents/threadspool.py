"""A document on its way into the blob store, for a thread that may block: the same as `Spool`, and no event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import obstore

from streamapp.documents.claim import BLOB
from streamapp.documents.spool import FAILURES, PARTS, Spool, left_behind, unkept

__all__ = ["ThreadSpool"]


class ThreadSpool(Spool):
    """One document. What is awaited of it has been done when it is awaited."""

    def _open(self, part_bytes: int) -> Any:
        return obstore.open_writer(self._blobs.store, self._path, buffer_size=part_bytes, max_concurrency=PARTS)

    async def write(self, piece: bytes) -> None:
        """Add to it. Raises `StoreUnavailable`."""
        try:
            self._writer.write(piece)
        except FAILURES as error:
            raise unkept(error) from error

    async def finish(self) -> str:
        """Complete it; returns its reference. On a local disk it is synced before this returns."""
        try:
            self._writer.close()
            self._writer = None
            self._blobs.sync(self._path)
        except FAILURES as error:
            raise unkept(error) from error
        return BLOB + self._path

    async def abandon(self) -> None:
        """Leave nothing of it. Never raises."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(*FAILURES):
                writer.close()
        del writer
        try:
            self._blobs.delete(BLOB + self._path)
        except FAILURES as error:
            left_behind(self._path, error)
