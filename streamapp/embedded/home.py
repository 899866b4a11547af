"""The home as `up` needs it before anything else: writable, ours alone, and with room on its disk.

The lock is a `flock` on an open file, so a crash frees it. Children don't inherit the descriptor: a broker that
outlives its `up` never keeps the next one out.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType

import psutil

from streamapp.embedded import StartError

__all__ = ["HomeLock", "free_mib", "holder", "require_space"]

MIB = 1024 * 1024
LOCK = "up.lock"


class HomeLock:
    """Holds the home for one `up`. Raises `StartError` when another one has it or the home can't be written."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file: int | None = None

    def __enter__(self) -> HomeLock:
        path = self._home / LOCK
        try:
            (self._home / "logs").mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StartError(
                f"The home {self._home} can't be written ({error.strerror}): set STREAMAPP_HOME to a folder that can."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            self._close()
            raise StartError(
                f"streamapp is already up with the home {self._home} (process {holder}): "
                "stop that one, or set another STREAMAPP_HOME."
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def holder(home: Path) -> int | None:
    """The process of this user's that has that home now, or None. The lock is not tried: for that moment it would keep
    an `up` out that starts.
    """
    path = home / LOCK
    try:
        process = psutil.Process(int(path.read_text(encoding="ascii")))
        has = any(Path(each.path) == path.resolve() for each in process.open_files())
    except (OSError, ValueError, psutil.Error):  # no lock, nobody's id in it, or of a process that ended
        return None
    return process.pid if has else None


def free_mib(folder: Path) -> int:
    """MiB that an ordinary user may still write to the disk that holds `folder`."""
    return shutil.disk_usage(folder).free // MIB


def require_space(folder: Path, least_mib: int) -> None:
    """Raise `StartError` when the disk that holds `folder` has less than `least_mib` MiB left."""
    left = free_mib(folder)
    if left < least_mib:
        raise StartError(
            f"The disk that holds {folder} is nearly full ({left} MiB left, {least_mib} MiB are needed): "
            "free some space, or set STREAMAPP_HOME to a folder on another disk."
        )
