"""A stable number for each worker on a host, so that one that restarts is known to the group as the same member.

Two workers with one instance id would evict each other for ever, so the number is the first whose file nobody has
locked; the lock goes with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streamapp.errors import ConfigurationError

__all__ = ["take_slot"]

SLOTS = 256
_held: dict[tuple[Path, str], tuple[int, int]] = {}


def take_slot(folder: Path, role: str) -> int:
    """The first free slot of that role, held until the process ends; the same one when asked again.

    Raises `ConfigurationError` when all are taken.
    """
    if (folder, role) in _held:
        return _held[folder, role][0]
    folder.mkdir(parents=True, exist_ok=True)
    for slot in range(SLOTS):
        descriptor = os.open(folder / f"{role}-{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held[folder, role] = (slot, descriptor)
        return slot
    raise ConfigurationError(f"All {SLOTS} worker slots in {folder} are taken: that many workers share one home.")
