"""Position and time left of all jobs at once, from the rows: looked at once for many who ask.

A job's end is when its last item has a credit by `streamapp.store.estimate`, and then what stands before it in the
model workers, and what usually follows. How fast the models are, the workers' beats say.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from streamapp.store.credits import weight_of
from streamapp.store.estimate import Load, Span, estimate
from streamapp.store.habits import Usual
from streamapp.store.seen import BATCH, Seen, see
from streamapp.store.sql import AnyRow
from streamapp.store.turns import Key, before, key_of

__all__ = ["Outlook", "forecast", "outlook"]

FRESH_S = 0.15  # how old an answer may be
COSTS, NEWS_COSTS = 20, 5  # and at least this many times what it took to find; for a job that it does not know
SHORTEST_S = 0.02

_kept: WeakKeyDictionary[Engine, _Look] = WeakKeyDictionary()
_one = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outlook:
    """A job's place in the queue, 1 for the next and None once it runs, and seconds left; None when nobody knows."""

    position: int | None
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen at that moment of `time.monotonic`, and the seconds it cost; `cheapest` of it and the one before:
    a single one may have waited for a processor.
    """

    at: float = -math.inf
    cost: float = 0.0
    cheapest: float = 0.0
    known: dict[Key, Outlook] = field(default_factory=dict)


def outlook(connection: Connection, row: AnyRow, room: int = 0) -> Outlook:
    """A job's outlook, as it was seen lately. `room` is how many jobs a tenant runs at a time unless told otherwise."""
    if row.status not in ("queued", "running"):
        return Outlook(None, None)
    key = (row.tenant, row.id, row.run)
    with _one:
        look = _kept.get(connection.engine, _Look())
        known, age = look.known.get(key), time.monotonic() - look.at
        there = known is not None and (known.position is None) == (row.status == "running")
        if age > (max(FRESH_S, COSTS * look.cheapest) if there else NEWS_COSTS * look.cheapest):
            look = _kept[connection.engine] = _again(connection, room, look)
            known, age = look.known.get(key), 0.0
    if known is None or known.eta_s is None:
        return known or Outlook(None, None)
    return Outlook(known.position, _rounded(known.eta_s - age))


def _again(connection: Connection, room: int, before: _Look) -> _Look:
    began = time.monotonic()
    known = forecast(connection, room)
    cost = time.monotonic() - began
    return _Look(began, cost, min(cost, before.cost), known)


def forecast(connection: Connection, room: int = 0) -> dict[Key, Outlook]:
    """The outlook of every job that is queued or running."""
    return _outlooks(see(connection), room)


def _outlooks(state: Seen, room: int) -> dict[Key, Outlook]:
    usual = {key_of(row): _usual(state, row) for row in state.active}
    held = _held(state.active, room)
    ahead = before(state.active)
    loads = [_load(state, row, usual[key_of(row)], held[key_of(row)], ahead) for row in state.active]
    spans = estimate(loads, state.rate or 1.0)
    line = [row for row in state.active if row.status == "queued"]
    line.sort(key=lambda row: (held[key_of(row)], spans[key_of(row)].start_s, row.created_at, row.id))
    places = {key_of(row): place for place, row in enumerate(line, 1)}
    turns = state.turns_s()
    return {
        key: Outlook(places.get(key), _eta_s(state, row, usual[key], spans[key], turns.get(key, 0.0)))
        for row in state.active
        for key in (key_of(row),)
    }


def _usual(state: Seen, row: AnyRow) -> Usual:
    known = state.habits.get(row.task)
    return known.of(row.size, state.rate) if known else Usual(None, 0.0, 0.0)


def _held(active: Sequence[AnyRow], room: int) -> dict[Key, bool]:
    """Whether each has to wait until another of its tenant ends."""
    taken: dict[str, int] = {}
    found = {}
    for row in sorted(active, key=lambda row: row.status == "queued"):  # those are by age, and stay so
        limit = room if row.running is None else row.running
        found[key_of(row)] = bool(limit) and row.status == "queued" and taken.get(row.tenant, 0) >= limit
        taken[row.tenant] = taken.get(row.tenant, 0) + 1
    return found


def _load(state: Seen, row: AnyRow, usual: Usual, held: bool, ahead: Mapping[Key, float]) -> Load[Key]:
    """What is to be served until the last chunk has its credit: what the passes say, and the chunks before that one.

    A credit comes before the service that it stands for; but newcomers that are not here yet get some before it.
    """
    key = key_of(row)
    items = _waiting(state, row, usual)
    if row.done or key in state.flying:
        items += ahead.get(key, 0.0) * BATCH - _last(row, items) / 2
    else:
        items -= _last(row, items)  # its first credit comes by turns
    return Load(key, row.tenant, max(0.0, items), weight_of(row.priority), row.weight, held)


def _waiting(state: Seen, row: AnyRow, usual: Usual) -> float:
    """Items without a credit."""
    if row.status == "queued":
        return usual.items or 0.0
    flying = state.flying.get(key_of(row))
    return float(row.total - row.done - (flying.items if flying else 0))


def _last(row: AnyRow, items: float) -> float:
    """Items of the last chunk, when so many wait: all before it are full."""
    chunks = row.waiting if row.status == "running" else math.ceil(items / BATCH)
    rest = items - BATCH * (chunks - 1)
    return rest if 0 < rest <= BATCH else items / max(1, chunks)


def _eta_s(state: Seen, row: AnyRow, usual: Usual, span: Span, turn_s: float) -> float | None:
    key = key_of(row)
    if key in state.stored:
        return _rounded(usual.rest_s - (state.now - state.stored[key]))
    if state.rate is None or (usual.items is None and not row.done):  # other tasks' items say nothing of this one's
        return None
    left = row.total - row.done if row.status == "running" else usual.items or 0.0
    flying = state.flying.get(key)
    if flying is not None and flying.items >= left:
        return _rounded(state.through_s(flying.last, flying.items, state.rate) + usual.rest_s)
    last = _last(row, _waiting(state, row, usual))
    seconds = max(turn_s, span.end_s) + state.through_s(None, last, state.rate) + last / state.rate
    if row.status == "queued":
        seconds += max(0.0, usual.plan_s - (state.now - row.created_at)) if not span.start_s else usual.plan_s
    return _rounded(seconds + usual.rest_s)


def _rounded(seconds: float) -> float:
    return round(max(SHORTEST_S, seconds), 1 if seconds > 10 else 2)
