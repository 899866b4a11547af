"""Whether what runs in the background ends, also when it swallows a cancel, and a stop that waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.cancelling import cancelled
from streamapp.inference.hearing import Hearing
from streamapp.jobs.lifecycle import JobsWorker

EACH_S = 0.3


async def _swallows(times: int, ended: list[str] | None = None) -> None:
    """Go on after so many cancels, as a loop does whose client took them for itself."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    try:
        await asyncio.sleep(60)
    finally:
        if ended is not None:
            ended.append("ended")


async def _begun(*work: Any) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(each, name=f"task {at}") for at, each in enumerate(work)]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("times", [0, 1])
async def test_a_cancel_that_is_swallowed_is_said_again(times: int) -> None:
    """I expect all to have ended, those that heard of it at once as well as the one that did not."""
    tasks = await _begun(_swallows(0), _swallows(times), _swallows(0))
    assert await cancelled(tasks, EACH_S)
    assert all(task.cancelled() for task in tasks)


async def test_what_never_ends_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """I expect an answer in bounded time, with a warning that names it, and the others to have ended."""
    tasks = await _begun(_swallows(0), _swallows(9))
    try:
        with caplog.at_level(logging.WARNING):
            assert not await cancelled(tasks, EACH_S)
        assert tasks[0].cancelled()
        assert caplog.messages == ["did not end when it was cancelled: task 1"]
    finally:
        while not tasks[1].done():
            tasks[1].cancel()
            await asyncio.sleep(0)


async def test_what_still_has_to_be_done_is_not_cut_off() -> None:
    """I expect a task that tidies up after the cancel to be given time: a second cancel would end that too."""
    tidied = []

    async def tidies() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(EACH_S / 2)
            tidied.append(True)

    assert await cancelled(await _begun(tidies()), EACH_S)
    assert tidied == [True]


async def test_what_has_ended_or_fails_holds_up_nothing() -> None:
    """I expect nothing to be raised for what one of them met, and nothing to be waited for without tasks."""

    async def raises() -> None:
        raise RuntimeError("sabotage")

    began = time.monotonic()
    assert await cancelled(await _begun(raises()), 60)
    assert await cancelled([], 60)
    assert time.monotonic() - began < 30


async def test_the_jobs_worker_stops_although_a_keeper_swallows_its_cancel() -> None:
    """I expect it to end, and what comes after the keepers to be told."""
    told: list[str] = []
    ends = [_says(told, "mail"), _says(told, "offsets")]
    parts: Any = SimpleNamespace(
        run=lambda: asyncio.sleep(0), stop=_says(told, "sweep"), close=ends[1], warm=lambda: asyncio.sleep(0)
    )
    workshop: Any = SimpleNamespace(close=lambda: told.append("workshop"))
    worker = JobsWorker(parts, parts, parts, parts, workshop, parts, parts, parts, parts, ends[0])
    worker.keepers = [lambda: _swallows(1, told)]
    await worker.started()
    await asyncio.sleep(0)
    await asyncio.wait_for(worker.stop(), 30)
    assert sorted(told[:2]) == ["ended", "mail"]
    assert told[2:] == ["offsets", "workshop"]


def _says(told: list[str], what: str) -> Any:
    async def say() -> None:
        told.append(what)

    return say


async def test_hearing_of_cancels_stops_although_its_client_swallows_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the model worker's stop not to wait for ever."""
    hearing = Hearing(SimpleNamespace(options={}), "cancels", lambda _: None)  # type: ignore[arg-type]
    ended: list[str] = []
    monkeypatch.setattr(hearing, "_run", lambda: _swallows(1, ended))
    hearing.start()
    await asyncio.sleep(0)
    await asyncio.wait_for(hearing.stop(), 30)
    assert ended == ["ended"]
