"""What is asked for while a call is under way is done together by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamapp.jobs.together import Together, both


class Slow:
    """A call that waits until it is let go, and fails if told so."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.begun = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> None:
        """Note what it is for."""
        self.calls.append(list(items))
        self.begun.set()
        await self.gate.wait()
        if self.error is not None and len(self.calls) == 1:
            raise self.error


async def test_what_comes_meanwhile_shares_the_next_call() -> None:
    """I expect the first to go at once and alone, and the others in one call after it."""
    slow = Slow()
    together = Together(slow)
    first = asyncio.create_task(together.add([1]))
    await slow.begun.wait()
    others = [asyncio.create_task(together.add([number])) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    assert slow.calls == [[1]]
    slow.gate.set()
    await asyncio.gather(first, *others)
    assert slow.calls == [[1], [2, 3, 4]]


async def test_an_error_reaches_those_it_belongs_to() -> None:
    """I expect a call's error at all who share it, and the next call to be made all the same."""
    slow = Slow()
    slow.error = ValueError("no")
    together = Together(slow)
    first = asyncio.create_task(together.add([1]))
    await slow.begun.wait()
    second = asyncio.create_task(together.add([2]))
    await asyncio.sleep(0)
    slow.gate.set()
    with pytest.raises(ValueError, match="no"):
        await first
    await second
    assert slow.calls == [[1], [2]]


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    """I expect the call of a cancelled caller to be made for the others, with its items."""
    slow = Slow()
    together = Together(slow)
    first = asyncio.create_task(together.add([1]))
    await slow.begun.wait()
    cancelled = asyncio.create_task(together.add([2]))
    other = asyncio.create_task(together.add([3]))
    await asyncio.sleep(0)
    cancelled.cancel()
    first.cancel()
    slow.gate.set()
    await other
    assert slow.calls == [[1], [2, 3]]


async def test_both_end_before_the_error_is_raised() -> None:
    """I expect what goes on beside a failure to be waited for."""
    ended = []

    async def fails() -> None:
        raise LookupError("gone")

    async def goes_on() -> None:
        await asyncio.sleep(0.05)
        ended.append(True)

    with pytest.raises(LookupError, match="gone"):
        await both(fails(), goes_on())
    assert ended == [True]


async def test_what_is_done_in_place_of_a_call() -> None:
    """I expect others to see it as one, and to wait for its end."""
    slow = Slow()
    slow.gate.set()
    together = Together(slow)
    gate = asyncio.Event()

    async def other() -> str:
        await gate.wait()
        return "done"

    assert [together.busy] == [False]
    instead = asyncio.create_task(together.in_turn(other()))
    await asyncio.sleep(0)
    assert [together.busy] == [True]
    after = asyncio.create_task(together.add([1]))
    await asyncio.sleep(0.01)
    assert slow.calls == []
    gate.set()
    assert await instead == "done"
    await after
    assert slow.calls == [[1]]
    assert [together.busy] == [False]
