"""A lane for each recipient's domain, so that one whose server hangs delays nobody else's mail.

All mail of a worker shares a bounded number of conversations (places). A domain has at most a quarter of them at a
time, or half of them while it answers quickly and nobody else needs those; and what finds its lane full waits in line
only while that lane moves, and only for seconds: it is put off otherwise, by the ledger and not in memory, so that it
holds neither an agent's place nor an unacknowledged message. What is put off is spread over time: each gets the next
free moment of its lane at the pace that the lane has, so that a long queue comes back neither at once nor too late.
The pace is known after a few conversations; who finds the line full before that comes again when it is.

A lane whose conversations end by their time being up is shut for a while (a circuit breaker, after Nygard, Release It!,
2007); then one conversation tries, and its end opens the lane or shuts it for twice as long. With a relay, which takes
mail for every domain, the domain is all that can be told apart; without a mail server that hangs, nobody is put off for
long.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from streamapp.delivery.lane import Lane
from streamapp.retry import delay_s

__all__ = ["Lanes", "PutOff", "Turn", "domain_of"]

LINE = 256  # messages of one domain that wait in memory at most: half of what the agent takes
FIRST_LINE = 128  # and while nothing is known of it
EXPECTED_S = 2.0  # as long as the line may seem to one who joins it
STEP_S, STEPS = 1.0, 5  # how often one in line looks whether it moves, and how often at most
SHORTEST_S = 1.0  # the relay looks every second
FARTHEST_S = 300.0  # how far a long queue is spread
LONGEST_PAUSE_S = 600.0
SHORTEST_GAP_S = 0.001
SLOW_GAP_S = 0.25  # between two that are put off in a lane that does not move
MANY = 1024  # lanes, after which those without a use are forgotten


def domain_of(recipient: str) -> str:
    """The domain of an address as DNS compares it: in lower case, and in ASCII (RFC 5890) where that is possible."""
    domain = recipient.rpartition("@")[2].strip().rstrip(".").casefold()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


@dataclass(frozen=True, slots=True)
class PutOff:
    """No turn now: come again in `delay_s` seconds. `shut` says that the domain's server does not answer."""

    delay_s: float
    shut: bool


class Turn:
    """A place in a lane, for one conversation: a context manager that gives it back."""

    def __init__(self, lanes: Lanes, lane: Lane[Turn], began: float) -> None:
        self._lanes = lanes
        self._lane = lane
        self._began = began
        self._hung: bool | None = None

    def ended(self, *, hung: bool) -> None:
        """Say how the conversation ended: `hung` when its time was up, and not by an answer or a break."""
        self._hung = hung

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lanes._leave(self._lane, self._began, self._hung)


class Lanes:
    """Gives turns out: `places` at a time, for one domain a quarter, or half. A lane is shut for `pause_s` at first."""

    def __init__(self, places: int, pause_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._share = max(1, places // 4)
        self._half = max(self._share, places // 2)
        self._pause_s = pause_s
        self._now = now
        self._busy = 0
        self._lanes: dict[str, Lane[Turn]] = {}

    async def enter(self, domain: str) -> Turn | PutOff:
        """A turn for that domain, after a few seconds in line at most; or when to come again."""
        now = self._now()
        self._forget(now)
        lane = self._lanes.setdefault(domain, Lane())
        if self._has_room(lane, now):
            return self._begin(lane, now)
        if len(lane.line) >= self._longest_line(lane, now):
            return self._put_off(lane, now)
        return await self._in_line(lane) or self._put_off(lane, self._now())

    def _has_room(self, lane: Lane[Turn], now: float) -> bool:
        if self._busy >= self._places or now < lane.shut_until:
            return False
        share = 1 if lane.hangs else self._share
        return lane.busy < share or (lane.quick(now) and self._busy < self._half)

    def _gap_s(self, lane: Lane[Turn], now: float) -> float:
        """Seconds from one turn of this lane to the next, when all its places are taken (Little's law)."""
        return max(lane.mean_s, SHORTEST_GAP_S) / (self._half if lane.quick(now) else self._share)

    def _longest_line(self, lane: Lane[Turn], now: float) -> float:
        """How many may stand in line: those who may expect a place soon."""
        if lane.stalled(now):
            return 0
        if lane.unknown(now):
            return FIRST_LINE
        return min(LINE, 1 + EXPECTED_S // self._gap_s(lane, now))

    async def _in_line(self, lane: Lane[Turn]) -> Turn | None:
        ticket: asyncio.Future[Turn | None] = asyncio.get_running_loop().create_future()
        lane.line.append(ticket)
        try:
            for _ in range(STEPS):
                await asyncio.wait({ticket}, timeout=STEP_S)
                if ticket.done() or lane.stalled(self._now()):
                    break
        except asyncio.CancelledError:
            if ticket.done() and (turn := ticket.result()):
                with turn:
                    pass  # called up at the moment of being cancelled: the place goes on to the next
            raise
        finally:
            if ticket in lane.line:
                lane.line.remove(ticket)
        return ticket.result() if ticket.done() else None

    def _begin(self, lane: Lane[Turn], now: float) -> Turn:
        self._busy += 1
        lane.begin(now)
        return Turn(self, lane, now)

    def _leave(self, lane: Lane[Turn], began: float, hung: bool | None) -> None:
        now = self._now()
        stalled = lane.stalled(now)
        self._busy -= 1
        lane.end(now)
        if hung is False:
            lane.answered(began, now, stalled=stalled)
        elif hung and lane.answered_at < began and now >= lane.shut_until:
            self._shut(lane, now)
        self._call_up(now)
        self._shorten(lane, now)

    def _shorten(self, lane: Lane[Turn], now: float) -> None:
        """Send home those who came last, when the line turns out to be far too long. A lane that stands they leave."""
        longest = self._longest_line(lane, now)
        if 0 < longest < len(lane.line) / 2:
            lane.send_home(longest)

    def _shut(self, lane: Lane[Turn], now: float) -> None:
        """Nothing of this domain was answered while a conversation's whole time went by."""
        lane.hangs += 1
        lane.shut_until = now + delay_s(lane.hangs, first_s=self._pause_s, longest_s=LONGEST_PAUSE_S, jitter=0.0)
        lane.send_home()

    def _call_up(self, now: float) -> None:
        """Hand free places to those in line, a domain after the other."""
        waiting = [(domain, lane) for domain, lane in self._lanes.items() if lane.line]
        while waiting and self._busy < self._places:
            served = []
            for domain, lane in waiting:
                if lane.line and self._has_room(lane, now):
                    lane.line.popleft().set_result(self._begin(lane, now))
                    served.append((domain, lane))
                    self._lanes[domain] = self._lanes.pop(domain)  # to the end: the others are first next time
            waiting = served

    def _put_off(self, lane: Lane[Turn], now: float) -> PutOff:
        if lane.unknown(now):
            return PutOff(SHORTEST_S * random.uniform(1.0, 2.0), shut=False)
        shut = bool(lane.hangs)
        soonest = max(now + SHORTEST_S, lane.shut_until)
        slot = min(max(soonest, lane.next_slot), soonest + FARTHEST_S)
        gap = self._gap_s(lane, now)
        if not lane.stalled(now):
            lane.next_slot = slot + gap
            return PutOff(slot - now, shut)
        lane.next_slot = slot + max(gap, SLOW_GAP_S)
        return PutOff((slot - now) * random.uniform(1.0, 1.25), shut)

    def _forget(self, now: float) -> None:
        if len(self._lanes) >= MANY:
            used = {
                domain: lane
                for domain, lane in self._lanes.items()
                if lane.busy or lane.line or lane.shut_until + LONGEST_PAUSE_S > now
            }
            self._lanes = used
