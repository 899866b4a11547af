"""What is in work in this process at this moment, in a file that outlives it.

When a model crashes the process, nothing in it can say which item did it. So the items are written down before they are
prepared or computed, and struck out after; whoever takes this worker's place finds what was in work when it died. The
file is not synced: it has to outlive the process, not the machine. It is overwritten in place by one small write, some
ten microseconds; what a crash in the middle of one leaves is no JSON, and is ignored.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from streamapp.inference.suspects import ChunkId, Left

__all__ = ["Journal", "left_behind"]

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024  # bytes; beyond, it names whole chunks only
LOCK_S = 1.0  # a thread that died on the lock must not keep the process from leaving

Place = tuple[ChunkId, int]


def left_behind(path: Path) -> Left | None:
    """What the process that had this journal before had in work, or None. Raises OSError where it can't be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if not content.strip():
        return None
    try:
        return Left.model_validate_json(content)
    except ValidationError as error:
        logger.warning("the journal %s can't be read and is ignored: %d errors", path, error.error_count())
        return None


class Journal:
    """Thread-safe. Without a path, or where that can't be written, it keeps nothing and says so once."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._work: dict[object, dict[ChunkId, list[int]]] = {}
        self._why = ""
        self._length = 0
        self._closed = False
        self._warned = False
        self._file: int | None = None
        if path is not None:
            self._open(path)

    @contextmanager
    def at_work(self, places: Iterable[Place]) -> Iterator[None]:
        """These items are in work inside of this block."""
        token = object()
        chunks = {
            chunk: [place for _, place in group] for chunk, group in groupby(sorted(places), lambda each: each[0])
        }
        with self._lock:
            self._work[token] = chunks
            self._write()
        try:
            yield
        finally:
            with self._lock:
                del self._work[token]
                self._write()

    def leaving(self, why: str) -> None:
        """Say why the process is about to leave with work in hand that ends it."""
        if self._lock.acquire(timeout=LOCK_S):
            self._why = why
            self._write()
            self._lock.release()

    def close(self) -> None:
        """An orderly leave: nothing of what is still in work is to blame for it."""
        held = self._lock.acquire(timeout=LOCK_S)
        self._put(b"")
        self._closed = True
        if held:
            self._lock.release()

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._length = os.fstat(self._file).st_size
        except OSError as error:
            self._complain(error)
        self._put(b"")

    def _write(self) -> None:
        if self._file is None or self._closed:
            return
        if not self._work:
            self._put(b"")
            return
        content = self._encoded(with_places=True)
        self._put(content if len(content) <= LARGEST else self._encoded(with_places=False))

    def _encoded(self, *, with_places: bool) -> bytes:
        work = [
            [chunk, places if with_places else []] for chunks in self._work.values() for chunk, places in chunks.items()
        ]
        return json.dumps({"at": time.time(), "why": self._why, "work": work}).encode()

    def _put(self, content: bytes) -> None:
        """Overwrite the file; blanks cover what was longer, so that the file need not be cut and never grows on."""
        if self._file is None or self._closed:
            return
        try:
            os.pwrite(self._file, content.ljust(self._length), 0)
            self._length = max(self._length, len(content))
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("the journal can't be written: an item that ends the worker is not found: %s", error)
