"""What comes after a job's last result, as this process has seen it lately: reducing, for the most part.

The rows do not tell it: between a job's start and its end lies all of its waiting too, and on a busy service no job is
without any. So it is measured where it happens and kept in memory; a process that has seen none goes by the rows.
"""

from __future__ import annotations

from collections import deque
from statistics import median

__all__ = ["forget", "note", "usual"]

RECENT = 60
ALIKE = 4.0  # documents within this factor in size are alike

_seen: dict[str, deque[tuple[int, float]]] = {}


def note(task: str, size: int, seconds: float) -> None:
    """A job of that task, about a document of that many bytes, took so long after its last result."""
    _seen.setdefault(task, deque(maxlen=RECENT)).append((size, seconds))


def usual(task: str, size: int) -> float | None:
    """What is usual for such a document, in seconds; None when this process has seen no job of that task."""
    recent = list(_seen.get(task, ()))
    alike = [seconds for known, seconds in recent if size / ALIKE <= known <= size * ALIKE]
    return median(alike or [seconds for _, seconds in recent]) if recent else None


def forget() -> None:
    """As in a new process."""
    _seen.clear()
