"""What is known of one domain's lane: who is in it, how fast it moves, and whether anybody answers there."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["FEW", "STALLED_S", "Lane"]

Turn = TypeVar("Turn")

STALLED_S = 1.0  # a lane in which no conversation began or ended for so long is not waited for
FIRST_GUESS_S = 0.1  # a conversation's length, until one was seen
FEW = 8  # answers after which a lane's pace is known; the first of them opened a connection
QUICK_S = 0.5  # conversations that take less free their places soon


@dataclass(slots=True)
class Lane(Generic[Turn]):
    """Its conversations, its line of those who wait for a turn, and what was seen of it."""

    busy: int = 0
    line: deque[asyncio.Future[Turn | None]] = field(default_factory=deque)
    moved_at: float = 0.0  # when a conversation began or ended last
    began_at: float = math.inf  # when the first one did
    answered_at: float = -math.inf
    answers: int = 0  # that `mean_s` was learned from
    mean_s: float = FIRST_GUESS_S
    next_slot: float = 0.0
    again_at: float = -math.inf  # when it moved again last; what began before that says nothing about it now
    hangs: int = 0  # in a row
    shut_until: float = 0.0

    def stalled(self, now: float) -> bool:
        """Whether nothing moves in it."""
        return self.hangs > 0 or (self.busy > 0 and now - self.moved_at > STALLED_S)

    def unknown(self, now: float) -> bool:
        """Whether it is about to be seen how fast it moves, and whether it moves at all."""
        return self.answers < FEW and now - self.began_at <= STALLED_S and not self.stalled(now)

    def quick(self, now: float) -> bool:
        """Whether it answers at this time, and quickly: its places are soon free again for whoever comes."""
        answers = self.hangs == 0 and self.answers >= FEW and now - self.answered_at <= STALLED_S
        return answers and self.mean_s <= QUICK_S

    def begin(self, now: float) -> None:
        """A conversation begins."""
        self.busy += 1
        self.moved_at = now
        self.began_at = min(self.began_at, now)

    def end(self, now: float) -> None:
        """A conversation has ended, however it did."""
        self.busy -= 1
        self.moved_at = now

    def answered(self, began: float, now: float, *, stalled: bool) -> None:
        """A conversation that `began` then has had its answer. `stalled` is whether nothing had moved before."""
        self.answered_at = now
        if stalled:  # it moves again: who was put off for long since then is followed by who is put off now
            self.hangs, self.shut_until, self.next_slot, self.again_at = 0, 0.0, 0.0, now
        if began >= self.again_at:
            self.answers += 1
            self.mean_s += (now - began - self.mean_s) / min(self.answers, FEW)

    def send_home(self, longest: float = 0) -> None:
        """Leave only so many in line; those who came last get no turn."""
        while len(self.line) > longest:
            ticket = self.line.pop()
            if not ticket.done():
                ticket.set_result(None)
