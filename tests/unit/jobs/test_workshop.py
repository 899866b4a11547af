"""The processes next door: what one call does to them harms no other call."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streamapp.errors import BadDocument, TaskFailed, Transient
from streamapp.jobs import workshop as workshops
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from tests.unit.jobs import task_fixtures as work


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Two processes."""
    shop = Workshop(Settings(home=tmp_path_factory.mktemp("home"), only_tasks=("echo",)))
    yield shop
    shop.close()


async def test_it_is_another_process(workshop: Workshop) -> None:
    """I expect the work not to be done here, and what it raises to come as it is."""
    assert await workshop.run(work.pid) != os.getpid()
    with pytest.raises(BadDocument, match="no text"):
        await workshop.run(work.bad_document)


async def test_it_holds_nothing_that_it_needs_not(workshop: Workshop) -> None:
    """I expect no SQL, no broker, no web and no model in a process that there are several of."""
    assert await workshop.run(work.imported, "sqlalchemy", "aiokafka", "faust", "aiohttp", "torch") == []


async def test_a_crash_is_tried_once_more(workshop: Workshop, tmp_path: Path) -> None:
    """I expect a process that was killed for memory to be replaced, and the work to be done after all."""
    assert await workshop.run(work.crash_once, str(tmp_path / "crashed")) != os.getpid()


async def test_a_call_that_crashes_fails_alone(workshop: Workshop) -> None:
    """I expect the one that crashes twice to fail for good, and its neighbours, waiting ones too, to be done."""
    neighbours = [asyncio.create_task(workshop.run(work.sleep, 0.3)) for _ in range(3)]
    guilty = [asyncio.create_task(workshop.run(work.crash)) for _ in range(2)]
    late = [asyncio.create_task(workshop.run(work.sleep, 0.01)) for _ in range(3)]
    results = await asyncio.gather(*neighbours, *late)
    assert all(isinstance(pid, int) for pid in results)
    for task in guilty:
        with pytest.raises(TaskFailed, match="twice"):
            await task


async def test_an_endless_call_fails_alone(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it to be ended with its process, its neighbour to be done, and waiting to count as no time."""
    before = await workshop.run(work.pid)
    monkeypatch.setattr(workshops, "TIMEOUT_S", 0.8)
    endless = asyncio.create_task(workshop.run(work.sleep, 60.0))
    others = [asyncio.create_task(workshop.run(work.sleep, 0.3)) for _ in range(5)]
    assert len(await asyncio.gather(*others)) == 5
    with pytest.raises(TaskFailed, match="did not end"):
        await endless
    monkeypatch.undo()
    assert await workshop.run(work.pid)
    assert before


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_process_that_dies_idle_costs_nobody_an_attempt(workshop: Workshop) -> None:
    """I expect the next calls to be done although both processes were killed while they had nothing to do."""
    pids = set(await asyncio.gather(*(workshop.run(work.sleep, 0.1) for _ in range(2))))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while any(_lives(pid) for pid in pids):
            await asyncio.sleep(0.01)
    after = await asyncio.gather(*(workshop.run(work.sleep, 0.1) for _ in range(2)))
    assert not pids & set(after)


async def test_a_cancelled_call_gives_its_place_back(workshop: Workshop) -> None:
    """I expect work that nobody waits for to hold no process."""
    cancelled = [asyncio.create_task(workshop.run(work.sleep, 60.0)) for _ in range(2)]
    await asyncio.sleep(0.2)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
    async with asyncio.timeout(10):
        assert await workshop.run(work.pid)


async def test_closing_is_transient(tmp_path: Path) -> None:
    """I expect what is in work while the worker stops to be left to another, and no verdict on the job."""
    shop = Workshop(Settings(home=tmp_path), processes=1)
    task = asyncio.create_task(shop.run(work.sleep, 60.0))
    await asyncio.sleep(0.5)
    shop.close()
    with pytest.raises(Transient):
        await task
    with pytest.raises(Transient):
        await shop.run(work.pid)


PARENT = """
import asyncio, sys
from pathlib import Path
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from tests.unit.jobs import task_fixtures as work
async def main():
    shop = Workshop(Settings(home=Path(sys.argv[1])), processes=1)
    print(await shop.run(work.pid), flush=True)
    await asyncio.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_processes_end_with_their_worker(tmp_path: Path) -> None:
    """I expect none to be left when the worker is killed, whatever it was doing."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    end = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != "zombie":
        assert time.monotonic() < end, "the process outlives its worker"
        time.sleep(0.05)
