"""Finds and ends the processes of a home that outlived the `up` that started them.

Every child carries the home in its environment, and its own children inherit it, so one look at the process table
finds them all, whatever became of pid files, process groups or parents. A process is ours when it has the very same
home there and belongs to this user.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil

__all__ = ["MARK", "Gone", "end", "marked", "of_home"]

Gone = psutil.NoSuchProcess

MARK = "STREAMAPP_UP_HOME"


def marked(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """That environment with the mark of this home."""
    return {**environ, MARK: str(home.resolve())}


def of_home(home: Path) -> list[psutil.Process]:
    """This user's live processes that carry the mark of this home, this process excepted."""
    wanted, me, user = str(home.resolve()), os.getpid(), os.getuid()
    found = []
    for process in psutil.process_iter():
        try:
            ours = (
                process.pid != me
                and process.uids().real == user
                and process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(MARK) == wanted
            )
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or not ours to look at
        if ours:
            found.append(process)
    return found


def end(processes: Iterable[psutil.Process], grace_s: float) -> int:
    """Ask them to end, wait up to `grace_s` seconds, kill the rest. Returns how many there were. Blocks."""
    targets = list(processes)
    for process in targets:
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(targets, timeout=grace_s)
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, timeout=5)
    return len(targets)


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except Gone:
        return
