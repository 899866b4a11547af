"""Small calls that wait go to the workshop together, and what one of them does harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from streamapp.documents.claim import INLINE_BYTES
from streamapp.errors import BadDocument, TaskFailed
from streamapp.jobs import errands as module
from streamapp.jobs.errands import Errands
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from tests.unit.jobs import task_fixtures as work


class FakeWorkshop:
    """Makes its calls here, when `gate` is set, and keeps how many calls came with each."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.calls: list[int] = []

    async def run_sized(self, size: int, call: Callable[..., Any], *args: Any) -> Any:
        """One call."""
        self.calls.append(1)
        await self.gate.wait()
        return call(*args)

    async def once(self, size: int, call: Callable[[], Sequence[Any]], limit_s: float) -> Any:
        """A call of several."""
        await self.gate.wait()
        ended = call()
        self.calls.append(len(ended))
        return ended


def assignment(task: str, document: str = "", params: str = "") -> Assignment:
    """Of a small document."""
    return Assignment(task, params, document, "text/plain", 10)


def ask(errands: Errands, count: int, task: str = "quick", params: str = "") -> list[asyncio.Task[str]]:
    """So many calls at once, each with a document of its own."""
    these = [assignment(task, f"{task} {number}", params) for number in range(count)]
    return [asyncio.create_task(errands.run_sized(10, work.errand, each)) for each in these]


async def known(errands: Errands, shop: FakeWorkshop, task: str, params: str = "") -> None:
    """Have it known how long that task takes."""
    shop.gate.set()
    await asyncio.gather(*ask(errands, 1, task, params))
    shop.gate.clear()
    shop.calls.clear()


async def test_those_that_wait_go_together() -> None:
    """I expect the first to go at once and by itself, and all that came meanwhile with the next call, in order."""
    shop = FakeWorkshop()
    errands = Errands(cast(Workshop, shop), abreast=1)
    await known(errands, shop, "quick")
    first = ask(errands, 1)
    await asyncio.sleep(0.01)
    tasks = ask(errands, 12)
    await asyncio.sleep(0.01)
    shop.gate.set()
    assert await asyncio.gather(*first, *tasks) == ["quick 0", *(f"quick {number}" for number in range(12))]
    assert shop.calls == [1, 12]


@pytest.mark.parametrize("abreast", [1, 2])
async def test_who_has_an_answer_may_ask_again_at_once(abreast: int) -> None:
    """I expect the second call to be made, though those that made the first have only just ended, all together."""
    shop = FakeWorkshop()
    errands = Errands(cast(Workshop, shop), abreast)

    async def twice(number: int) -> list[str]:
        these = [assignment("quick", f"quick {number}.{again}") for again in range(2)]
        return [await errands.run_sized(10, work.errand, each) for each in these]

    asking = [asyncio.create_task(twice(number)) for number in range(abreast)]
    await asyncio.sleep(0.01)
    shop.gate.set()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*asking) == [
            [f"quick {number}.0", f"quick {number}.1"] for number in range(abreast)
        ]


async def test_what_is_slow_goes_alone() -> None:
    """I expect nobody to wait behind a call that takes long."""
    shop = FakeWorkshop()
    errands = Errands(cast(Workshop, shop), abreast=1)
    await known(errands, shop, "sleep", "0.03")
    shop.gate.set()
    await asyncio.gather(*ask(errands, 3, "sleep", "0"))
    assert shop.calls == [1, 1, 1]


async def test_what_is_not_known_goes_alone() -> None:
    """I expect a task's first call to be by itself, and those behind it to go by what was seen of it."""
    shop = FakeWorkshop()
    shop.gate.set()
    await asyncio.gather(*ask(Errands(cast(Workshop, shop), abreast=1), 4))
    assert shop.calls == [1, 3]


async def test_a_large_document_is_no_errand() -> None:
    """I expect it to stand in the workshop's own line."""
    shop = FakeWorkshop()
    errands = Errands(cast(Workshop, shop), abreast=1)
    await known(errands, shop, "quick")
    tasks = ask(errands, 1)
    tasks += [
        asyncio.create_task(errands.run_sized(INLINE_BYTES + 1, work.errand, assignment("quick"))) for _ in range(2)
    ]
    await asyncio.sleep(0.01)
    assert shop.calls == [1, 1, 1]
    shop.gate.set()
    await asyncio.gather(*tasks)


async def test_a_failure_is_its_own_calls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect one that raises, one that crashes and one that is endless to fail, and their neighbours to be done."""
    shop = Workshop(Settings(home=tmp_path, only_tasks=("echo",)), processes=1)
    errands = Errands(shop, abreast=1)
    for kind in ("quick", "bad", "crash", "sleep"):
        errands._takes_s["errand", kind] = 0.001  # as if all of them had been quick so far
    monkeypatch.setattr(module, "PATIENCE_S", 1.0)
    monkeypatch.setattr("streamapp.jobs.workshop.TIMEOUT_S", 2.0)
    try:
        blocker = ask(errands, 1)
        await asyncio.sleep(0)
        bad, crash, endless = ask(errands, 1, "bad"), ask(errands, 1, "crash"), ask(errands, 1, "sleep", "60")
        neighbours = ask(errands, 3)
        assert await asyncio.gather(*blocker, *neighbours) == ["quick 0", "quick 0", "quick 1", "quick 2"]
        for (task,), error in ((bad, BadDocument), (crash, TaskFailed), (endless, TaskFailed)):
            with pytest.raises(error):
                await task
    finally:
        shop.close()


async def test_a_caller_that_gives_up(tmp_path: Path) -> None:
    """I expect the others of its call to be answered, and what comes after."""
    shop = FakeWorkshop()
    errands = Errands(cast(Workshop, shop), abreast=1)
    await known(errands, shop, "quick")
    tasks = ask(errands, 4)
    await asyncio.sleep(0.01)
    tasks[2].cancel()
    shop.gate.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [str, str, asyncio.CancelledError, str]
    assert await asyncio.gather(*ask(errands, 1)) == ["quick 0"]
