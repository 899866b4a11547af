"""Position and time left of all jobs at once, from the rows: looked at once for many who ask.

A job's end is when its last item has a credit by `streamapp.store.estimate`, and then what stands before it in the
model workers, and what usually follows. How fast the models are, the workers' beats say.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select

from streamapp.store.chunks import FLYING
from streamapp.store.credits import weight_of
from streamapp.store.estimate import Load, Span, estimate
from streamapp.store.habits import Habit, Usual, habits
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.speed import items_a_second
from streamapp.store.sql import AnyRow
from streamapp.store.turns import Key, key_of, turns_s

__all__ = ["Outlook", "forecast", "outlook"]

FRESH_S = 0.15  # how old an answer may be
COSTS, NEWS_COSTS = 20, 5  # and at least this many times what it took to find; for a job that it does not know
SHORTEST_S = 0.05
TOGETHER_S = 0.05  # credits that are given one right after the other
BATCH = 64  # items, roughly: what is computed together ends together
RIDER = 2  # what takes no more than this part of a batch is in the next one: see streamapp.inference.batch

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


@dataclass(slots=True)
class _Flight:
    """What of a job is at the model workers: items, and the moment at which the last of them got its credit."""

    items: int = 0
    last: float = 0.0


class _Aloft(NamedTuple):
    """A chunk that flies: when it got its credit, its items, and whether it got one because its job came just then."""

    at: float
    size: int
    newcomer: bool


@dataclass(slots=True)
class _State:
    now: float
    rate: float | None
    active: Sequence[AnyRow]
    flying: dict[Key, _Flight]
    stored: dict[Key, float]
    habits: dict[str, Habit]
    queue: list[_Aloft] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether every credit is given, and more would be."""
        return any(row.waiting for row in self.active)

    def through_s(self, moment: float | None, size: float, rate: float) -> float:
        """Seconds until that many items which fly since that moment are computed; None: until they would be begun with.

        What is computed just now was begun with at the last result, and when every credit is given, that gave one.
        """
        if not self.queue:
            return 0.0
        before = [each.size for each in self.queue if moment is None or each.at <= moment + TOGETHER_S]
        items = min(sum(each.size for each in self.queue), max(1, round(sum(before) / BATCH)) * BATCH)
        given = [each.at for each in self.queue if not each.newcomer] if self.full else []
        since = max(given) if given else min(each.at for each in self.queue)
        least = min(items, BATCH) / 8 / rate  # it is not done, or it would not be here
        if size <= BATCH / RIDER:
            begun = moment is not None and since > moment
            batches = math.ceil(sum(each for each in before if each <= size) * RIDER / BATCH) + (not begun)
            items = min(items, batches * BATCH)
        return max(least, items / rate - max(0.0, self.now - since))

    def turns_s(self) -> dict[Key, float]:
        """Seconds of others' work that gets credits before a newcomer's first."""
        if not self.queue or not self.rate or not self.full:
            return {}
        waiting = [row for row in self.active if row.waiting or row.status == "queued"]
        credit_s = sum(each.size for each in self.queue) / len(self.queue) / self.rate
        return turns_s(waiting, self.flying, credit_s)


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
    state = _look(connection)
    usual = {key_of(row): _usual(state, row) for row in state.active}
    held = _held(state.active, room)
    loads = [_load(state, row, usual[key_of(row)], held[key_of(row)]) for row in state.active]
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


def _look(connection: Connection) -> _State:
    names = ("tenant", "id", "run", "task", "size", "priority", "status", "created_at", "started_at")
    counts = ("done", "total", "waiting", "unfinished")
    query = (
        select(
            *(jobs.c[name] for name in (*names, *counts)), *(tenants.c[name] for name in ("weight", "running", "turn"))
        )
        .add_columns(tenants.c.served.label("tenant_served"))
        .join(tenants, tenants.c.tenant == jobs.c.tenant)
        .where(jobs.c.status.in_(("queued", "running")))
        .order_by(jobs.c.created_at, jobs.c.id)
    )
    active = connection.execute(query).all()
    known = habits(connection, sorted({row.tenant for row in active}))
    state = _State(connection.execute(select(clock())).scalar_one(), items_a_second(connection), active, {}, {}, known)
    started = {key_of(row): row.started_at for row in active}
    its = (chunks.c.tenant, chunks.c.job, chunks.c.run)
    aloft = select(*its, chunks.c.size, chunks.c.flying_at).where(chunks.c.state == FLYING)
    for tenant, job, run, size, since in connection.execute(aloft):
        flight = state.flying.setdefault((tenant, job, run), _Flight())
        flight.items, flight.last = flight.items + size, max(flight.last, since)
        state.queue.append(_Aloft(since, size, since - (started.get((tenant, job, run)) or 0.0) < TOGETHER_S))
    for row in active:
        if row.status == "running" and not row.unfinished:
            mine = (chunks.c.tenant == row.tenant, chunks.c.job == row.id, chunks.c.run == row.run)
            last = connection.execute(select(func.max(chunks.c.stored_at)).where(*mine)).scalar_one()
            state.stored[key_of(row)] = state.now if last is None else last
    return state


def _usual(state: _State, row: AnyRow) -> Usual:
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


def _load(state: _State, row: AnyRow, usual: Usual, held: bool) -> Load[Key]:
    key = key_of(row)
    flying = state.flying.get(key)
    items = float(row.total - row.done - (flying.items if flying else 0))
    if row.status == "queued":
        items = usual.items or 0.0
    if not row.done and not flying:
        items -= BATCH  # a newcomer's first chunk does not wait for its share
    return Load(key, row.tenant, max(0.0, items), weight_of(row.priority), row.weight, held)


def _eta_s(state: _State, row: AnyRow, usual: Usual, span: Span, turn_s: float) -> float | None:
    key = key_of(row)
    if key in state.stored:
        return _rounded(usual.rest_s - (state.now - state.stored[key]))
    if state.rate is None or (row.status == "queued" and usual.items is None):
        return None
    left = row.total - row.done if row.status == "running" else usual.items or 0.0
    flying = state.flying.get(key)
    if flying is not None and flying.items >= left:
        return _rounded(state.through_s(flying.last, flying.items, state.rate) + usual.rest_s)
    after = BATCH if state.full else min(left, BATCH)  # it is computed together with others
    seconds = max(turn_s, span.end_s) + state.through_s(None, left, state.rate) + after / state.rate
    if row.status == "queued":
        seconds += max(0.0, usual.plan_s - (state.now - row.created_at)) if not span.start_s else usual.plan_s
    return _rounded(seconds + usual.rest_s)


def _rounded(seconds: float) -> float:
    return round(max(SHORTEST_S, seconds), 1 if seconds > 10 else 2)
