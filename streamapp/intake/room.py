"""The disk's room for what is being received: beneath the mark nothing new is taken, however much was announced.

`streamapp.jobs.pressure` looks every few seconds whether the disk is nearly full. In that time a few uploads could fill
it, so what they have announced and not sent yet is counted as if it were there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from streamapp.intake.refusal import Refused

__all__ = ["Room"]

MiB = 1024 * 1024
RETRY_S = 30


class Room:
    """`folder` None: documents are not on a disk of ours, and there is always room."""

    def __init__(self, folder: Path | None, least_bytes: int) -> None:
        self._folder = folder if least_bytes else None
        self._least = least_bytes
        self._expected: dict[object, int] = {}

    def free(self) -> int | None:
        """Bytes that are free on the disk; it may block. None: it does not matter."""
        return None if self._folder is None else shutil.disk_usage(self._folder).free

    def expect(self, who: object, size: int, free: int | None) -> None:
        """Count on so many more bytes of this one. Raises `Refused` with 503 when `free` is too little for all."""
        self._expected[who] = size
        if free is not None and free - sum(list(self._expected.values())) < self._least:
            raise Refused(
                503,
                f"The disk that holds the documents has no room for this now: {free // MiB} MiB are free, of which "
                f"{self._least // MiB} must stay, and others are being received. Nothing was accepted.",
                retry_after_s=RETRY_S,
            )

    def forget(self, who: object) -> None:
        """Nothing more is expected of this one."""
        self._expected.pop(who, None)
