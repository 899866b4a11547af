"""Looks at the deployment all the time: which points were hit, what moves, and how long a recovery took."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from chaos.ground import Ground
from chaos.waiting import until

__all__ = ["Disturbance", "Moves", "Watch"]

logger = logging.getLogger(__name__)

LOOK_S = 0.1
MOVES_EVERY = 3  # looks
MOMENT_S = 0.6
OF_MODEL_WORKER = (".results", ".beats")
FINAL = "('succeeded', 'failed', 'cancelled', 'expired')"
SETTLED = "('sent', 'dead', 'parked')"
MOVES = f"""SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM jobs WHERE status IN {FINAL}),
    (SELECT coalesce(sum(done), 0) FROM jobs), (SELECT count(*) FROM deliveries),
    (SELECT count(*) FROM deliveries WHERE state IN {SETTLED}), (SELECT coalesce(sum(attempts), 0) FROM deliveries),
    (SELECT count(*) FROM dead_letters),
    (SELECT coalesce(max(max(coalesce(next_attempt_at, 0), coalesce(lease_until, 0))), 0) FROM deliveries
        WHERE state NOT IN {SETTLED})"""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A process died or stood still: what explains that a conversation's end was not seen. `time.time()`."""

    what: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Moves:
    """What the store says right now: counts that only grow, and until when somebody waits on purpose."""

    jobs: int = 0
    final: int = 0
    items: int = 0
    deliveries: int = 0
    settled: int = 0
    attempts: int = 0
    letters: int = 0
    timer: float = 0.0

    @property
    def results(self) -> tuple[int, int]:
        """What grows when results flow."""
        return self.final, self.items


@dataclass(slots=True)
class _Clock:
    who: str
    at: float
    results: tuple[int, int] | None = None  # what was stored a moment after: only what is more than that flows again
    intake_s: float | None = None
    results_s: float | None = None

    def done(self) -> bool:
        return self.intake_s is not None and self.results_s is not None


@dataclass(slots=True)
class Watch:
    """Runs beside the attacks. `longest`, by who was killed: seconds until the intake answered, and results came."""

    ground: Ground
    moves: Moves = field(default_factory=Moves)
    hits: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    disturbances: list[Disturbance] = field(default_factory=list)
    longest: dict[str, list[float]] = field(default_factory=dict)
    armed: set[str] = field(default_factory=set)
    _clock: _Clock | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(base_url=self.ground.url, timeout=1.0, trust_env=False) as http:
            looks = 0
            while True:
                self._see_points()
                if looks % MOVES_EVERY == 0:
                    self._see_moves()
                await self._see_recovery(http)
                looks += 1
                await asyncio.sleep(LOOK_S)

    def arm(self, point: str) -> None:
        """Make a crash due at that point."""
        (self.ground.faults / point).touch()
        self.armed.add(point)

    def disarm(self) -> set[str]:
        """Take the crashes back that nobody came by; returns them."""
        left = set()
        for point in list(self.armed):
            try:
                (self.ground.faults / point).unlink()
            except FileNotFoundError:
                self._hit(point)
            else:
                left.add(point)
        self.armed.clear()
        return left

    def killed(self, who: str) -> None:
        """A process dies now by our hand; a recovery that was being measured is not any more."""
        now = time.time()
        self.kills[who] += 1
        self.disturbances.append(Disturbance(who, now, now))
        self.time_from_now(who.removesuffix(", at a point"))

    def time_from_now(self, who: str) -> None:
        """Measure how long the recovery takes from this moment."""
        self._clock = _Clock(who, time.time())

    def stood(self, what: str, start: float) -> None:
        """Something stood still from `start` to now; recoveries during it say nothing."""
        self.disturbances.append(Disturbance(what, start, time.time()))
        self._clock = None

    def ended(self, name: str, code: int, at: float) -> None:
        """A process has ended: by our hand, or by itself, which is counted apart."""
        self.disturbances.append(Disturbance(name, at - 2.0, at))
        if code != 128 + 9:
            self.left[f"{name} with {code}"] += 1

    async def struck(self, point: str, timeout_s: float) -> None:
        """Wait until somebody has died at that point, or in vain."""
        await until(lambda: point not in self.armed, timeout_s)

    async def recovered(self, timeout_s: float) -> bool:
        """Wait until the intake answers and results flow again."""
        return await until(lambda: self._clock is None or self._clock.done(), timeout_s)

    def _see_points(self) -> None:
        for point in list(self.armed):
            if not (self.ground.faults / point).exists():
                self.armed.discard(point)
                self._hit(point)

    def _hit(self, point: str) -> None:
        self.hits[point] += 1
        self.killed("model, at a point" if point.endswith(OF_MODEL_WORKER) else "worker, at a point")

    def _see_moves(self) -> None:
        with suppress(sqlite3.Error):
            self.moves = Moves(*self.ground.rows(MOVES)[0])

    async def _see_recovery(self, http: httpx.AsyncClient) -> None:
        clock = self._clock
        if clock is None or clock.done():
            return
        if clock.intake_s is None:
            with suppress(httpx.TransportError):
                if (await http.get("/healthz")).status_code == 200:
                    clock.intake_s = time.time() - clock.at
        if clock.results is None:
            clock.results = self.moves.results if time.time() - clock.at > MOMENT_S else None
        elif clock.results_s is None and self.moves.results > clock.results:
            clock.results_s = time.time() - clock.at
        if clock.done() and clock is self._clock:
            longest = self.longest.setdefault(clock.who, [0.0, 0.0])
            longest[0] = max(longest[0], clock.intake_s or 0.0)
            longest[1] = max(longest[1], clock.results_s or 0.0)
