"""How fast the models are lately, as the workers' beats say.

A beat has what its worker computed since it started, and documents differ: books of long sentences take longer for
each. So whoever looks again and again goes by what came between its looks, and one that looks for the first time by
all of it.
"""

from __future__ import annotations

from collections import deque

from sqlalchemy import Connection

from streamapp.store import workers

__all__ = ["forget", "items_a_second"]

LATELY_S = 20.0  # in which the model was busy
ENOUGH_S = 2.0

_seen: dict[str, deque[tuple[int, float]]] = {}  # by worker: items, and seconds busy, the oldest first


def items_a_second(connection: Connection) -> float | None:
    """Items a second that all models compute while they compute; None before the first batch."""
    alive = [row for row in workers.alive(connection) if row.seconds_busy and row.items_done]
    for gone in _seen.keys() - {row.id for row in alive}:
        _seen.pop(gone, None)
    return sum(_lately(row.id, row.items_done, row.seconds_busy) for row in alive) or None


def forget() -> None:
    """As in a new process."""
    _seen.clear()


def _lately(worker: str, items: int, busy_s: float) -> float:
    looks = _seen.setdefault(worker, deque())
    if looks and looks[-1][1] > busy_s:  # another one of that name
        looks.clear()
    if not looks or busy_s > looks[-1][1]:
        looks.append((items, busy_s))
    while len(looks) > 1 and busy_s - looks[1][1] >= LATELY_S:  # the first is the last one before that time
        looks.popleft()
    before, then_s = looks[0]
    return (items - before) / (busy_s - then_s) if busy_s - then_s >= ENOUGH_S else items / busy_s
