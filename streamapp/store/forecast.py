"""Position and time left of all jobs at once, from the rows: looked at once for many who ask.

A job's end is when its last item has a credit by `streamapp.store.estimate`, and then what stands before it in the
model workers, and what usually follows. How fast the models are, the workers' beats say.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select

from streamapp.store import workers
from streamapp.store.chunks import FLYING
from streamapp.store.credits import weight_of
from streamapp.store.estimate import Load, Span, estimate
from streamapp.store.habits import Habit, Usual, habits
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.sql import AnyRow

__all__ = ["Outlook", "forecast", "outlook"]

FRESH_S = 0.5  # how old an answer may be
COSTS = 20  # and at least this many times what it took to find
SHORTEST_S = 0.05
TOGETHER_S = 0.05  # credits that are given one right after the other
BATCH = 64  # items: what a newcomer waits for at each turn

Key = tuple[str, str, int]
_kept: WeakKeyDictionary[Engine, tuple[float, float, dict[Key, Outlook]]] = WeakKeyDictionary()
_one = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outlook:
    """A job's place in the queue, 1 for the next and None once it runs, and seconds left; None when nobody knows."""

    position: int | None
    eta_s: float | None


@dataclass(slots=True)
class _Flight:
    """What of a job is at the model workers: items, and the moment at which the last of them got its credit."""

    items: int = 0
    last: float = 0.0


@dataclass(slots=True)
class _State:
    now: float
    rate: float | None
    active: Sequence[AnyRow]
    flying: dict[Key, _Flight]
    stored: dict[Key, float]
    habits: dict[str, Habit]
    queue: list[tuple[float, int]] = field(default_factory=list)  # what flies, by when it got its credit

    @property
    def full(self) -> bool:
        """Whether every credit is given, and more would be."""
        return any(row.waiting for row in self.active)

    def through_s(self, moment: float | None, rate: float) -> float:
        """Seconds until what flies since that moment or longer is computed; None: until all of it is.

        What is computed just now was begun with at the last result, and when every credit is given, that gave one.
        """
        if not self.queue:
            return 0.0
        since = max(at for at, _ in self.queue) if self.full else min(at for at, _ in self.queue)
        items = sum(size for at, size in self.queue if moment is None or at <= moment + TOGETHER_S)
        return max(0.0, items / rate - max(0.0, self.now - since))


def outlook(connection: Connection, row: AnyRow, room: int = 0) -> Outlook:
    """A job's outlook, as it was seen lately. `room` is how many jobs a tenant runs at a time unless told otherwise."""
    if row.status not in ("queued", "running"):
        return Outlook(None, None)
    key = (row.tenant, row.id, row.run)
    with _one:
        seen, cost, known = _kept.get(connection.engine, (0.0, 0.0, {}))
        age = time.monotonic() - seen
        there = key in known and (known[key].position is None) == (row.status == "running")
        if age > max(FRESH_S, COSTS * cost) or (not there and age > COSTS * cost):
            seen = time.monotonic()
            known = forecast(connection, room)
            _kept[connection.engine] = (seen, time.monotonic() - seen, known)
    return known.get(key, Outlook(None, None))


def forecast(connection: Connection, room: int = 0) -> dict[Key, Outlook]:
    """The outlook of every job that is queued or running."""
    state = _look(connection)
    usual = {_key(row): _usual(state, row) for row in state.active}
    held = _held(state.active, room)
    loads = [_load(state, row, usual[_key(row)], held[_key(row)]) for row in state.active]
    spans = estimate(loads, state.rate or 1.0)
    line = [row for row in state.active if row.status == "queued"]
    line.sort(key=lambda row: (held[_key(row)], spans[_key(row)].start_s, row.created_at, row.id))
    places = {_key(row): place for place, row in enumerate(line, 1)}
    turns = _turns(state)
    return {
        key: Outlook(places.get(key), _eta_s(state, row, usual[key], spans[key], turns.get(key, 0.0)))
        for row in state.active
        for key in (_key(row),)
    }


def _key(row: AnyRow) -> Key:
    return (row.tenant, row.id, row.run)


def _look(connection: Connection) -> _State:
    names = ("tenant", "id", "run", "task", "size", "priority", "status", "created_at", "started_at")
    counts = ("done", "total", "waiting", "unfinished")
    query = (
        select(*(jobs.c[name] for name in (*names, *counts)), tenants.c.weight, tenants.c.running)
        .join(tenants, tenants.c.tenant == jobs.c.tenant)
        .where(jobs.c.status.in_(("queued", "running")))
        .order_by(jobs.c.created_at, jobs.c.id)
    )
    active = connection.execute(query).all()
    known = habits(connection, sorted({row.tenant for row in active}))
    state = _State(connection.execute(select(clock())).scalar_one(), _rate(connection), active, {}, {}, known)
    its = (chunks.c.tenant, chunks.c.job, chunks.c.run)
    aloft = select(*its, chunks.c.size, chunks.c.flying_at).where(chunks.c.state == FLYING)
    for tenant, job, run, size, since in connection.execute(aloft):
        flight = state.flying.setdefault((tenant, job, run), _Flight())
        flight.items, flight.last = flight.items + size, max(flight.last, since)
        state.queue.append((since, size))
    for row in active:
        if row.status == "running" and not row.unfinished:
            mine = (chunks.c.tenant == row.tenant, chunks.c.job == row.id, chunks.c.run == row.run)
            last = connection.execute(select(func.max(chunks.c.stored_at)).where(*mine)).scalar_one()
            state.stored[_key(row)] = state.now if last is None else last
    return state


def _rate(connection: Connection) -> float | None:
    """Items a second that the models compute while they compute; None before the first batch."""
    alive = [row for row in workers.alive(connection) if row.seconds_busy and row.items_done]
    return sum(row.items_done / row.seconds_busy for row in alive) or None


def _usual(state: _State, row: AnyRow) -> Usual:
    known = state.habits.get(row.task)
    return known.of(row.size, state.rate) if known else Usual(None, 0.0, 0.0)


def _held(active: Sequence[AnyRow], room: int) -> dict[Key, bool]:
    """Whether each has to wait until another of its tenant ends."""
    taken: dict[str, int] = {}
    found = {}
    for row in sorted(active, key=lambda row: row.status == "queued"):  # those are by age, and stay so
        limit = room if row.running is None else row.running
        found[_key(row)] = bool(limit) and row.status == "queued" and taken.get(row.tenant, 0) >= limit
        taken[row.tenant] = taken.get(row.tenant, 0) + 1
    return found


def _load(state: _State, row: AnyRow, usual: Usual, held: bool) -> Load[Key]:
    key = _key(row)
    flying = state.flying.get(key)
    items = float(row.total - row.done - (flying.items if flying else 0))
    if row.status == "queued":
        items = usual.items or 0.0
    if not row.done and not flying:
        items -= BATCH  # a newcomer's first chunk does not wait for its share
    return Load(key, row.tenant, max(0.0, items), weight_of(row.priority), row.weight, held)


def _turns(state: _State) -> dict[Key, float]:
    """Seconds until a newcomer's first credit: the tenant's go to the smallest, the oldest and the rest."""
    waiting = [row for row in state.active if row.waiting or row.status == "queued"]
    weights = {row.tenant: row.weight for row in waiting}
    sizes = [size for _, size in state.queue]
    if not sizes or not state.rate or not state.full:
        return {}
    credit_s = sum(sizes) / len(sizes) / state.rate * sum(weights.values())  # between two of a tenant of weight 1
    turns: dict[Key, float] = {}
    for tenant, weight in weights.items():
        mine = [row for row in waiting if row.tenant == tenant]
        new = [row for row in mine if not row.done and _key(row) not in state.flying]
        each_s = credit_s / weight * (1 if len(new) == len(mine) else 2)
        by_size = {_key(row): at for at, row in enumerate(sorted(new, key=lambda row: (row.size, row.created_at)))}
        for at, row in enumerate(new):  # by age
            turns[_key(row)] = each_s * (0.5 + (at + by_size[_key(row)]) / 2)
    return turns


def _eta_s(state: _State, row: AnyRow, usual: Usual, span: Span, turn_s: float) -> float | None:
    key = _key(row)
    if key in state.stored:
        return _rounded(usual.rest_s - (state.now - state.stored[key]))
    if state.rate is None or (row.status == "queued" and usual.items is None):
        return None
    left = row.total - row.done if row.status == "running" else usual.items or 0.0
    flying = state.flying.get(key)
    if flying is not None and flying.items >= left:
        return _rounded(state.through_s(flying.last, state.rate) + usual.rest_s)
    after = BATCH if state.full else min(left, BATCH)  # it is computed together with others
    seconds = max(turn_s, span.end_s) + state.through_s(None, state.rate) + after / state.rate
    if row.status == "queued":
        seconds += max(0.0, usual.plan_s - (state.now - row.created_at)) if not span.start_s else usual.plan_s
    return _rounded(seconds + usual.rest_s)


def _rounded(seconds: float) -> float:
    return round(max(SHORTEST_S, seconds), 1 if seconds > 10 else 2)
