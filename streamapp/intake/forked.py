"""What each process has for itself: made when it is first asked for, so never before a fork, and made anew after one.

Servers like gunicorn load a site and fork then (with ``--preload``). Connections, threads and a librdkafka producer do
not survive that, and two processes must not share them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess"]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """One of what `make` makes, for this process."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._inherited: list[list[T]] = []
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def get(self) -> T:
        """It. Raises what `make` raises, and tries again the next time."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    def _forked(self) -> None:
        """Let the parent's be: closing its connections here would close them there. A thread may have had the lock."""
        self._lock = threading.Lock()
        self._inherited.append(self._made)
        self._made = []
