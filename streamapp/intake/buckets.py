"""Token buckets: how many requests a key may still send, for a process by itself or for all those of a machine.

A worker counts in its memory, where counting costs nothing. A Flask site is several processes that know nothing of one
another, and whoever gave a key its limit did not ask how many; so they count in files, one of 16 bytes for each key
that has a limit, which are locked for as long as it takes to read and write them. No other key costs anything.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["MINUTE_S", "Buckets", "OwnBuckets", "SharedBuckets"]

logger = logging.getLogger(__name__)

MINUTE_S = 60.0
KEPT = struct.Struct("=dd")


class Buckets(Protocol):
    """A bucket for each key: so many tokens, and so many new ones a minute."""

    def take(self, key: str, most: int) -> float:
        """Take a token, if there is one. Returns how many there were before: less than 1 when there was none."""


class _Bucket(NamedTuple):
    tokens: float
    at: float  # seconds, monotonic: the same clock for all processes of a machine, until it is started anew


class OwnBuckets:
    """Those of one process; its threads share them."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, key: str, most: int) -> float:
        """As `Buckets` has it."""
        with self._lock:
            found, self._buckets[key] = _taken(self._buckets.get(key), most)
        return found


class SharedBuckets:
    """Those of all processes that are given the same folder. Where it can't be used, each counts by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = OwnBuckets()
        self._warn: Callable[..., None] = logger.warning

    def take(self, key: str, most: int) -> float:
        """As `Buckets` has it. The key is named by its id, which is a file's name."""
        try:
            return self._take(key, most)
        except OSError as error:  # a limit must not close the intake
            self._warn("requests are counted by each process for itself: %s", error)
            self._warn = logger.debug
            return self._own.take(key, most)

    def _take(self, key: str, most: int) -> float:
        file = self._opened(key)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # of this opening: other threads wait as other processes do
            kept = os.pread(file, KEPT.size, 0)
            found, left = _taken(_Bucket(*KEPT.unpack(kept)) if len(kept) == KEPT.size else None, most)
            os.pwrite(file, KEPT.pack(*left), 0)
        finally:
            os.close(file)
        return found

    def _opened(self, key: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._folder / key, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(self._folder / key, flags, 0o600)


def _taken(bucket: _Bucket | None, most: int) -> tuple[float, _Bucket]:
    """How many tokens there are by now, and the bucket without one of them; a new one is full."""
    now = time.monotonic()
    tokens = float(most)
    if bucket is not None:
        waited_s = max(0.0, now - bucket.at)  # less than nothing when the machine was started since
        tokens = min(tokens, bucket.tokens + waited_s * most / MINUTE_S)
    return tokens, _Bucket(tokens - 1 if tokens >= 1 else tokens, now)
