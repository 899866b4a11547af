"""When jobs will be done, as a fluid: everybody is served at once, each at its share.

The credits give each tenant its share of what the models compute, and each of its jobs its share of that. Taken as a
fluid, this can be gone through from one job's end to the next, which is exact but for the size of a chunk, and one pass
gives the end of every job. Nothing is known of work that has yet to come.

Source: Parekh and Gallager, A Generalized Processor Sharing Approach to Flow Control (1993).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Load", "Span", "estimate"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Load(Generic[Key]):
    """What is left of a job: `items` that wait for a credit. Those that are `held` start as others of the tenant end.

    Loads are given in the order in which they would start.
    """

    key: Key
    tenant: str
    items: float
    weight: float = 1.0
    tenant_weight: float = 1.0
    held: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds until a job is begun with, and until the last of its items has a credit."""

    start_s: float
    end_s: float


@dataclass(slots=True)
class _Tenant:
    weight: float
    now: float = 0.0  # its virtual time: items that a job of weight 1 was served
    weights: float = 0.0
    served: list[tuple[float, int, Any, float]] = field(default_factory=list)  # by the virtual time of the end
    held: deque[tuple[int, Any]] = field(default_factory=deque)

    def begin(self, number: int, load: Load[Any]) -> None:
        heapq.heappush(self.served, (self.now + load.items / load.weight, number, load.key, load.weight))
        self.weights += load.weight


def estimate(loads: Iterable[Load[Key]], rate: float) -> dict[Key, Span]:
    """The span of each, at `rate` items a second in all."""
    owners: dict[str, _Tenant] = {}
    spans: dict[Key, Span] = {}
    starts: dict[Key, float] = {}
    for number, load in enumerate(loads):
        owner = owners.setdefault(load.tenant, _Tenant(load.tenant_weight))
        if load.held:
            owner.held.append((number, load))
        else:
            owner.begin(number, load)
            starts[load.key] = 0.0
    for owner in owners.values():
        _let_in(owner, starts, 0.0)
    now = 0.0
    while busy := [owner for owner in owners.values() if owner.served]:
        speed = rate / sum(owner.weight for owner in busy)
        step, first = min(((_left(owner) / speed, owner) for owner in busy), key=lambda entry: entry[0])
        now += step
        for owner in busy:
            owner.now += step * speed * owner.weight / owner.weights
        first.now, _, key, weight = heapq.heappop(first.served)
        first.weights = first.weights - weight if first.served else 0.0
        spans[key] = Span(starts[key], now)
        _let_in(first, starts, now, one=True)
    return spans


def _left(owner: _Tenant) -> float:
    """Items that its tenant is served until its next job ends, by its weight."""
    return max(0.0, owner.served[0][0] - owner.now) * owner.weights / owner.weight


def _let_in(owner: _Tenant, starts: dict[Any, float], now: float, *, one: bool = False) -> None:
    """A held job starts when another ends, or when nothing of its tenant is left that could."""
    if owner.held and (one or not owner.served):
        number, load = owner.held.popleft()
        owner.begin(number, load)
        starts[load.key] = now
