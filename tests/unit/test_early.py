"""Work that was begun before its message came: who gets the message waits for it, or does it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streamapp import early
from streamapp.early import Early


class Work:
    """Waits until it is let go, and then gives its answer or raises it."""

    def __init__(self, answer: bool | Exception) -> None:
        self.answer = answer
        self.calls = 0
        self.go = asyncio.Event()

    async def __call__(self) -> bool:
        """Count."""
        self.calls += 1
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_message_waits_for_what_was_begun() -> None:
    """I expect it to learn that all is done, and only then; a message that comes again is told nothing."""
    some, work = Early[str]("job"), Work(answer=True)
    assert some.begin("a", work)
    message = asyncio.create_task(some.is_over("a"))
    await asyncio.sleep(0.01)
    assert not message.done()
    work.go.set()
    assert await message
    assert work.calls == 1
    assert not await some.is_over("a")
    assert not await some.is_over("never begun")


@pytest.mark.parametrize("answer", [False, ValueError("no")])
async def test_what_is_not_over_is_the_message_s(answer: bool | Exception, caplog: pytest.LogCaptureFixture) -> None:
    """I expect work that was put off, or that raised, to be left to the message, and the error to be said."""
    caplog.set_level(logging.INFO)
    some, work = Early[str]("job"), Work(answer)
    some.begin("a", work)
    work.go.set()
    assert not await some.is_over("a")
    assert ("ValueError('no')" in caplog.text) is isinstance(answer, Exception)


async def test_a_message_that_is_handed_back_leaves_it_alone() -> None:
    """I expect work that was begun to go on when the one who waited for it is cancelled."""
    some, work = Early[str]("job"), Work(answer=True)
    some.begin("a", work)
    message = asyncio.create_task(some.is_over("a"))
    await asyncio.sleep(0.01)
    message.cancel()
    with pytest.raises(asyncio.CancelledError):
        await message
    work.go.set()
    assert await some.drain(5.0)


async def test_only_so_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a third to be left to its message until one of two has ended."""
    monkeypatch.setattr(early, "AT_ONCE", 2)
    some, works = Early[int]("job"), [Work(answer=True) for _ in range(4)]
    assert [some.begin(number, work) for number, work in enumerate(works[:3])] == [True, True, False]
    works[0].go.set()
    assert await some.is_over(0)
    assert not await some.is_over(2)
    assert some.begin(3, works[3])


async def test_what_went_to_others_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect messages that never come to cost no memory for ever."""
    monkeypatch.setattr(early, "REMEMBERED", 2)
    some = Early[int]("job")
    for number in range(3):
        work = Work(answer=True)
        work.go.set()
        some.begin(number, work)
        await asyncio.sleep(0.01)
    assert [await some.is_over(number) for number in range(3)] == [False, True, True]


async def test_a_drain_waits_and_begins_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """I expect it to wait for what is under way, to give up what takes too long, and to refuse what comes after."""
    some, quick, slow = Early[str]("e-mail"), Work(answer=True), Work(answer=True)
    some.begin("quick", quick)
    some.begin("slow", slow)
    drained = asyncio.create_task(some.drain(0.2))
    await asyncio.sleep(0.01)
    assert not some.begin("late", Work(answer=True))
    quick.go.set()
    assert not await drained
    assert await some.is_over("quick")
    assert not await some.is_over("slow"), "it was cancelled"
    assert "begun e-mail slow is left to its message" in caplog.text
    assert await some.drain(0.0)
