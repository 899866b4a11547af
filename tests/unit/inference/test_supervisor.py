"""When a model worker is started again: at once after its work ended it, ever more slowly when it can't start."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from streamapp.inference import lifeline
from streamapp.inference.supervisor import Supervisor, wait_s

OFTEN = re.compile(r"model worker 0 ended ([3-9]|\d\d+) times within ten minutes")  # it may end again between two looks


@pytest.mark.parametrize(
    ("attempt", "ready", "least", "most"),
    [
        (1, False, 0.0, 0.0),
        (2, False, 0.25, 0.5),
        (5, False, 2.0, 4.0),
        (20, False, 15.0, 30.0),
        (1, True, 0.0, 0.0),
        (2, True, 0.25, 0.5),
        (20, True, 0.5, 1.0),
    ],
)
def test_how_long_it_waits(attempt: int, ready: bool, least: float, most: float) -> None:
    """I expect the wait to double up to 30 s for a child that never got ready, and up to a second for one that did."""
    assert least <= wait_s(attempt, ready=ready) <= most


@pytest.fixture
def faust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in the place of faust, for the children; its text is the test's."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}")
    return tmp_path / "faust.py"


async def life(faust: Path, text: str) -> tuple[int, str | None]:
    """How a child that runs this ends."""
    await asyncio.to_thread(
        faust.write_text, f"import os\nfrom streamapp.inference.lifeline import say_ready, say_why\n{text}\n"
    )
    return await asyncio.wait_for(Supervisor(1, "info", lambda: None)._live(0), 30)


async def test_it_is_told_when_a_child_is_ready(faust: Path) -> None:
    """I expect a child that says so to be known as ready however it ends, and another not, without any waiting."""
    assert await life(faust, "say_ready()\nos.abort()") == (-6, "")
    assert await life(faust, "os._exit(3)") == (3, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("os._exit(3)", "in a row before it was ready, the last time with exit code 3, and its log says why"),
        ("say_why('no\\n file')\nos._exit(1)", "in a row before it was ready: no file"),
        ("say_why('é' * 9999)\nos._exit(1)", "in a row before it was ready: éééé"),
        ("say_ready()\nos.abort()", "in a row, the last time by SIGABRT, and its log says why"),
        ("os.kill(os.getpid(), 9)", "before it was ready, the last time by SIGKILL, as happens where memory runs out"),
    ],
)
async def test_what_it_says_of_children_that_keep_ending(faust: Path, text: str, says: str) -> None:
    """I expect a sentence on how often and how they ended, and none before one has."""
    await asyncio.to_thread(
        faust.write_text, f"import os\nfrom streamapp.inference.lifeline import say_ready, say_why\n{text}\n"
    )
    supervisor = Supervisor(1, "info", lambda: None)
    assert (supervisor.trouble, supervisor.keep_ending) == (None, None)
    supervisor.start()
    try:
        async with asyncio.timeout(60):
            while not (supervisor.trouble or "").startswith("model worker 0 ended 2 times"):
                await asyncio.sleep(0.02)
    finally:
        await supervisor.stop()
    assert says in (supervisor.trouble or "")
    assert says.replace("in a row", "within ten minutes") in (supervisor.keep_ending or "")


async def test_a_child_that_ends_after_a_while_keeps_ending(faust: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it to be among those that keep ending though none of its lives was short, and not for ever."""
    monkeypatch.setattr("streamapp.inference.supervisor.STEADY_S", 0.0)
    await asyncio.to_thread(faust.write_text, "import os\nos._exit(3)\n")
    supervisor = Supervisor(1, "info", lambda: None)
    supervisor.start()
    try:
        async with asyncio.timeout(60):
            while not OFTEN.match(supervisor.keep_ending or ""):
                assert "times" not in (supervisor.trouble or "")
                await asyncio.sleep(0.02)
    finally:
        await supervisor.stop()
    monkeypatch.setattr("streamapp.inference.supervisor.LATELY_S", 0.0)
    assert supervisor.keep_ending is None


async def test_a_grandchild_holds_up_nothing(faust: Path) -> None:
    """I expect the end of a child to be seen while a process of its own still has the pipe."""
    spawn = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], close_fds=False)"
    text = (
        f"import subprocess, sys\norphan = {spawn}\nopen({str(faust.with_name('pid'))!r}, 'w').write(str(orphan.pid))"
    )
    assert await life(faust, f"{text}\nos._exit(4)") == (4, None)
    os.kill(int(await asyncio.to_thread(faust.with_name("pid").read_text)), signal.SIGKILL)


async def test_it_gives_way(faust: Path) -> None:
    """I expect a child to have a lower priority than this process, or books would hold up what answers and delivers."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    text = f"import time\nwhile os.getpriority(os.PRIO_PROCESS, 0) <= {ours}: time.sleep(0.01)\nos._exit(5)"
    assert await life(faust, text) == (5, None)


async def test_no_descriptor_is_left_open(faust: Path) -> None:
    """I expect as many as before after many children, or a supervisor of months would run out of them."""
    await life(faust, "os._exit(0)")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await life(faust, "os._exit(0)")
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_the_leash(tmp_path: Path) -> None:
    """I expect a child to say its farewells and end when the other end of its input is closed, however that failed."""
    script = tmp_path / "child.py"
    script.write_text(
        "import threading\n"
        "from streamapp.inference.lifeline import hold_leash\n"
        "def fails():\n    raise OSError\n"
        "farewells = [fails]\n"
        "hold_leash(farewells)\n"
        f"farewells.append(open({str(tmp_path / 'said')!r}, 'x').close)\n"
        "threading.Event().wait()\n"
    )
    environment = {**os.environ, lifeline.LEASH: "stdin", "PYTHONPATH": str(Path(__file__).parents[3])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdin=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
