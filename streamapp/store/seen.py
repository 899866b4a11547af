"""What the forecasts go by: the rows at one moment, and how long what flies still takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from streamapp.store.chunks import FLYING
from streamapp.store.habits import Habit, habits
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.speed import items_a_second
from streamapp.store.sql import AnyRow
from streamapp.store.turns import Key, key_of, turns_s

__all__ = ["BATCH", "Aloft", "Flight", "Seen", "see"]

TOGETHER_S = 0.05  # credits that are given one right after the other
BATCH = 64  # items, roughly: what is computed together ends together
RIDER = 2  # what takes no more than this part of a batch is short: see streamapp.inference.batch


@dataclass(slots=True)
class Flight:
    """What of a job is at the model workers: items, and the moment at which the last of them got its credit."""

    items: int = 0
    last: float = 0.0


class Aloft(NamedTuple):
    """A chunk that flies: when it got its credit, its items, and whether it got one because its job came just then."""

    at: float
    size: int
    newcomer: bool


@dataclass(slots=True)
class Seen:
    """The moment, the items a second that all models compute, the queued and running jobs, and what of them flies.

    `stored` has the moment of the last result of each job that has all of them.
    """

    now: float
    rate: float | None
    active: Sequence[AnyRow]
    flying: dict[Key, Flight]
    stored: dict[Key, float]
    habits: dict[str, Habit]
    queue: list[Aloft] = field(default_factory=list)

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
        passed = max(0.0, self.now - since)
        if size > BATCH / RIDER:
            return max(least, items / rate - passed)
        # short ones have a batch of their own after the present one, which holds what others have
        mine = sum(each for each in before if each <= size)
        present = min(BATCH, sum(each.size for each in self.queue) - mine)
        return max(least, (present + mine) / rate - passed)

    def turns_s(self) -> dict[Key, float]:
        """Seconds of others' work that gets credits before a newcomer's first."""
        if not self.queue or not self.rate or not self.full:
            return {}
        waiting = [row for row in self.active if row.waiting or row.status == "queued"]
        credit_s = sum(each.size for each in self.queue) / len(self.queue) / self.rate
        return turns_s(waiting, self.flying, credit_s)


def see(connection: Connection) -> Seen:
    """Read it."""
    names = ("tenant", "id", "run", "task", "size", "priority", "status", "created_at", "started_at")
    counts = ("done", "total", "waiting", "unfinished", "served")
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
    state = Seen(connection.execute(select(clock())).scalar_one(), items_a_second(connection), active, {}, {}, known)
    started = {key_of(row): row.started_at for row in active}
    its = (chunks.c.tenant, chunks.c.job, chunks.c.run)
    aloft = select(*its, chunks.c.size, chunks.c.flying_at).where(chunks.c.state == FLYING)
    for tenant, job, run, size, since in connection.execute(aloft):
        flight = state.flying.setdefault((tenant, job, run), Flight())
        flight.items, flight.last = flight.items + size, max(flight.last, since)
        state.queue.append(Aloft(since, size, since - (started.get((tenant, job, run)) or 0.0) < TOGETHER_S))
    for row in active:
        if row.status == "running" and not row.unfinished:
            mine = (chunks.c.tenant == row.tenant, chunks.c.job == row.id, chunks.c.run == row.run)
            last = connection.execute(select(func.max(chunks.c.stored_at)).where(*mine)).scalar_one()
            state.stored[key_of(row)] = state.now if last is None else last
    return state
