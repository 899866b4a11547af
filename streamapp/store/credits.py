"""Fair by credits: which waiting chunk flies next.

The number of chunks that fly is counted from the chunks' own rows each time, never kept beside them, so a credit can't
be lost or made: a result, a cancel or an end frees it by being written. Who is next is stride scheduling: the tenant,
then within it the job, that was served least so far, each chunk counting by its items and inversely to the weight.

Within a tenant every other credit is for the smallest newcomer, a job of which nothing has flown yet, if one waits: so
a short job waits for a chunk or two and not for one of each of fifty books. The credits between go by the passes alone:
were newcomers always first, a book would starve as long as they keep coming.

Source: Waldspurger and Weihl, Stride Scheduling: Deterministic Proportional-Share Resource Management (1995).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from streamapp.identity import Run
from streamapp.store import flights
from streamapp.store.sql import AnyRow

__all__ = ["NO_MORE", "Small", "await_turn", "take_off", "weight_of"]

LOCK = 0x63726564697473  # "credits"


def weight_of(priority: int) -> float:
    """Each step of priority doubles a job's share of its tenant's credits; priority is -3 to 3."""
    return float(2.0**priority)


class Small(NamedTuple):
    """Room beyond the credits: `chunks` may fly in all while they hold no more than `items` items together."""

    chunks: int
    items: int


NO_MORE = Small(0, 0)


@dataclass(slots=True)
class _Tenant:
    weight: float
    served: float
    turn: int


@dataclass(slots=True)
class _Waiting:
    run: Run
    weight: float
    served: float
    since: float
    chunks: int
    new: bool


def await_turn(connection: Connection) -> None:
    """Until this transaction ends nobody else gives credits. One that also writes what giving them writes begins so."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer; here two could count before either takes,
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))  # and of whatever predictor, both write `served`


def take_off(
    connection: Connection, predictor: str, credits: int, small: Small = NO_MORE, full: int = 1
) -> list[AnyRow]:
    """Give free credits to the chunks that are due. Returns their rows joined with their jobs', for publishing.

    A chunk of `full` items or more counts as one; a smaller one as much less as it is smaller. Those of half of it or
    less fly beyond the credits, as long as they hold no more than one full chunk would together: a model worker takes
    them into its next batch.
    """
    await_turn(connection)
    air = _Air(credits, small, full, *flights.in_the_air(connection, predictor, full))
    if not air.has_room:
        return []
    waiting, owners = _candidates(connection, predictor)
    lines = {entry.run: flights.waiting_chunks(connection, entry.run, predictor) for entry in waiting}
    chosen: list[AnyRow] = []
    served: dict[Run, float] = {}
    while waiting and air.has_room:
        next_one = _next_job(waiting, owners)
        row = next(lines[next_one.run], None)
        if row is None:
            waiting.remove(next_one)
            continue
        if not air.takes(row.size):
            break  # who is next waits for its room, and nobody slips by
        chosen.append(row)
        owner, cost = owners[next_one.run.tenant], min(1.0, row.size / full)
        owner.served += cost / owner.weight
        owner.turn = 1 - owner.turn
        next_one.served += cost / next_one.weight
        next_one.new = False
        served[next_one.run] = next_one.served
    flights.fly(connection, chosen, served)
    flights.note_tenants(
        connection, [(name, owners[name].served, owners[name].turn) for name in sorted({run.tenant for run in served})]
    )
    return chosen


class _Air:
    """What flies, and whether there is room for more: `chunks`, their `items`, and those of them in `little` chunks."""

    def __init__(self, credits: int, small: Small, full: int, chunks: int, items: int, little: int) -> None:
        self._credits = credits
        self._small = small
        self._full = full
        self._chunks = chunks
        self._items = items
        self._little = little

    @property
    def has_room(self) -> bool:
        """For a chunk of one item, at least."""
        return self._has_room(1)

    def takes(self, items: int) -> bool:
        """Whether there is room for a chunk of that many items; then it flies."""
        if not self._has_room(items):
            return False
        self._chunks += 1
        self._items += items
        self._little += items if self._is_little(items) else 0
        return True

    def _has_room(self, items: int) -> bool:
        if self._chunks < self._credits:
            return True
        if self._chunks < self._small.chunks and self._items + items <= self._small.items:
            return True
        return self._is_little(items) and self._little + items <= self._full

    def _is_little(self, items: int) -> bool:
        return items * 2 <= self._full


def _next_job(waiting: Sequence[_Waiting], owners: Mapping[str, _Tenant]) -> _Waiting:
    """The least served tenant's next job: its smallest newcomer if it is their turn, else its least served one.

    Of tenants that are level, as one is that joins just now, it is the one with the smallest newcomer.
    """
    least = {entry.run.tenant: math.inf for entry in waiting}
    for entry in waiting:
        if entry.new:
            least[entry.run.tenant] = min(least[entry.run.tenant], entry.chunks)
    tenant = min(least, key=lambda name: (owners[name].served, least[name], name))
    mine = [entry for entry in waiting if entry.run.tenant == tenant]
    newcomers = [entry for entry in mine if entry.new]
    if newcomers and not owners[tenant].turn:
        return min(newcomers, key=lambda entry: (entry.chunks / entry.weight, entry.since, entry.run.job))
    return min(mine, key=lambda entry: (entry.served, entry.since, entry.run.job))


def _candidates(connection: Connection, predictor: str) -> tuple[list[_Waiting], dict[str, _Tenant]]:
    """The jobs that wait for this predictor, and their tenants."""
    found: dict[Run, _Waiting] = {}
    owners: dict[str, _Tenant] = {}
    for row in flights.candidates(connection, predictor):
        owners[row.tenant] = _Tenant(row.weight, row.tenant_served, row.turn)
        weight, new = weight_of(row.priority), not row.done and row.waiting == row.unfinished
        run = Run(row.tenant, row.id, row.run)
        found[run] = _Waiting(run, weight, row.served, row.started_at, row.waiting, new)
    return _level(list(found.values()), owners)


def _level(waiting: list[_Waiting], owners: dict[str, _Tenant]) -> tuple[list[_Waiting], dict[str, _Tenant]]:
    """Nobody is further ahead of the least served than by its own last credit, where credits of one predictor are all.

    What was had of another predictor, a faster one perhaps, is not owed here.
    """
    least = min((owner.served for owner in owners.values()), default=0.0)
    for name, owner in owners.items():
        owner.served = min(owner.served, least + 1 / owner.weight)
        mine = [entry for entry in waiting if entry.run.tenant == name]
        lowest = min(entry.served for entry in mine)
        for entry in mine:
            entry.served = min(entry.served, lowest + 1 / entry.weight)
    return waiting, owners
