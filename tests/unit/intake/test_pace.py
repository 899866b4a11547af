"""A body must go on coming; how long we take over it is not its fault."""

from __future__ import annotations

import asyncio
import time

import pytest

from streamapp.intake.pace import STRETCH_BYTES, Pace
from streamapp.intake.refusal import Refused


class Line:
    """A client's line: so much comes after so many seconds, by a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.granted: list[float] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(asyncio, "timeout", self._timeout)

    def _timeout(self, delay_s: float) -> asyncio.Timeout:
        self.granted.append(delay_s)
        return asyncio.Timeout(None)

    async def read(self, after_s: float) -> float:
        """What comes then; nothing does after the time that is granted."""
        if after_s > self.granted[-1]:
            self.now += self.granted[-1]
            raise TimeoutError
        self.now += after_s
        return after_s


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """One line."""
    return Line(monkeypatch)


async def test_a_steady_body_may_take_its_time(line: Line) -> None:
    """I expect a stretch every few seconds to be fine until all of the time is over, and 408 then."""
    pace = Pace(100.0, stretch_s=10.0)
    for _ in range(11):
        await pace.wait(line.read(9.0))
        pace.came(STRETCH_BYTES)
    with pytest.raises(Refused, match="100") as refused:
        await pace.wait(line.read(9.0))
    assert refused.value.problem.status == 408
    assert line.now == 100.0


async def test_a_dribble_is_stopped(line: Line) -> None:
    """I expect bytes that come one by one not to buy time."""
    pace = Pace(3600.0, stretch_s=10.0)

    async def dribble() -> None:
        while True:
            await pace.wait(line.read(1.0))
            pace.came(1)

    with pytest.raises(Refused, match="too slowly"):
        await dribble()
    assert line.now == 10.0


async def test_our_own_time_does_not_count(line: Line) -> None:
    """I expect a slow disk on our side to leave the client its pace."""
    pace = Pace(3600.0, stretch_s=10.0)
    for _ in range(20):
        await pace.wait(line.read(0.1))
        line.now += 60.0
    assert line.granted[-1] > 7.0
