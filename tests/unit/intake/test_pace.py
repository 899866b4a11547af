"""A body must go on coming; how long we take over it is not its fault."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from streamapp.intake.direct import DirectPace
from streamapp.intake.pace import STRETCH_BYTES, Pace, read_whole
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


class Body:
    """A request whose body comes byte by byte, one each second; it is its own content."""

    def __init__(self, line: Line, size: int, client_max_size: int) -> None:
        self.content = self
        self.client_max_size = client_max_size
        self._line, self._left = line, size

    def is_eof(self) -> bool:
        """Most of it is still to come."""
        return False

    async def readany(self) -> bytes:
        """The next one."""
        if not self._left:
            return b""
        self._left -= 1
        await self._line.read(1.0)
        return b"a"


async def test_a_small_body_has_a_clock_too(line: Line) -> None:
    """I expect a login or a filter that dribbles to end as a document does, 408, and one that is too large, 413."""
    whole: Any = Body(line, 20, 20)
    assert await read_whole(whole) == b"a" * 20
    slow: Any = Body(line, 1000, 2000)
    with pytest.raises(Refused) as refused:
        await read_whole(slow)
    assert refused.value.problem.status == 408
    large: Any = Body(line, 20, 10)
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        await read_whole(large)


@pytest.mark.parametrize(("total_s", "size", "ends"), [(100.0, STRETCH_BYTES, 108.0), (3600.0, 1, 18.0)])
async def test_a_site_looks_after_each_read(line: Line, total_s: float, size: int, ends: float) -> None:
    """I expect 408 behind the read in which the time was over: of all of it, and of one stretch."""
    pace = DirectPace(total_s, stretch_s=10.0)

    async def blocks() -> None:
        line.now += 9.0

    async def whole() -> None:
        for _ in range(1000):
            await pace.wait(blocks())
            pace.came(size)

    with pytest.raises(Refused) as refused:
        await whole()
    assert refused.value.problem.status == 408
    assert line.now == ends
