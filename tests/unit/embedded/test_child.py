"""Children are started again with backoff, given up when there is no point, and leave nobody behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamapp.embedded import StartError, leash, processes
from streamapp.embedded.child import TRIES_AT_START, Child, last_line, leashed, next_delay
from streamapp.errors import ConfigurationError, StreamappError


@pytest.mark.parametrize(
    ("previous", "lived_s", "expected"),
    [
        (None, 0.0, 0.5),  # the first end
        (0.5, 1.0, 1.0),  # again, at once: twice as long
        (20.0, 59.0, 30.0),  # but never longer than that
        (30.0, 60.0, 0.5),  # it had been steady: from the beginning
    ],
)
def test_next_delay(previous: float | None, lived_s: float, expected: float) -> None:
    """I expect the delay to double after each quick end."""
    assert next_delay(previous, lived_s) == expected


def child(tmp_path: Path, code: str, **more: object) -> Child:
    """A child that runs some Python."""
    given = {"verdict": lambda code: None, **more}
    environ = processes.marked(os.environ, tmp_path)
    return Child("thing", [sys.executable, "-c", code], environ=environ, log=tmp_path / "log", **given)  # type: ignore[arg-type]


async def until(condition: object, timeout_s: float = 10.0) -> None:
    """Wait for something that happens in other processes."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def test_it_is_started_again_after_a_kill(tmp_path: Path) -> None:
    """I expect a second process after kill -9 of the first, a notice, and none after stop."""
    notices: list[str] = []
    it = child(tmp_path, "import time; print('up', flush=True); time.sleep(60)", notice=notices.append)
    await it.start()
    watch = asyncio.create_task(it.supervise())
    await until(lambda: last_line(tmp_path / "log") == "up")
    for process in processes.of_home(tmp_path):
        if "-c" in process.cmdline()[:2]:
            process.kill()
    await until(lambda: it.starts == 2)
    assert "exit code 137" in notices[0]
    watch.cancel()
    await it.stop(5.0)
    assert processes.of_home(tmp_path) == []


async def test_a_verdict_ends_it(tmp_path: Path) -> None:
    """I expect the error that the caller made of the exit code, and one start."""

    def verdict(code: int) -> StreamappError | None:
        return ConfigurationError(last_line(tmp_path / "log")) if code == 78 else None

    it = child(tmp_path, "import sys; print('wrong setting'); sys.exit(78)", verdict=verdict)
    await it.start()
    with pytest.raises(ConfigurationError, match=r"^wrong setting$"):
        await it.supervise()
    assert it.starts == 1


async def test_one_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect its last words and its log in the sentence."""
    monkeypatch.setattr("streamapp.embedded.child.FIRST_DELAY_S", 0.0)
    it = child(tmp_path, "raise SystemExit('no model')")
    await it.start()
    with pytest.raises(StartError, match=rf"ended {TRIES_AT_START} times .* no model"):
        await it.supervise()


async def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """I expect stop to return soon after its grace, and nobody left, not even a grandchild."""
    code = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen(['sleep', '60']); print('deaf', flush=True); time.sleep(60)"
    )
    it = child(tmp_path, code)
    await it.start()
    await until(lambda: last_line(tmp_path / "log") == "deaf")
    async with asyncio.timeout(5.0):
        await it.stop(0.2)
    await until(lambda: processes.of_home(tmp_path) == [])


async def test_it_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the command and what it started to be gone when the other end of the leash is, kill -9 or not."""
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        leashed([sys.executable, "-c", code], tmp_path / "log"),
        stdin=subprocess.PIPE,
        env=processes.marked(os.environ, tmp_path),
        start_new_session=True,
    )
    await until(lambda: last_line(tmp_path / "log") == "up")
    assert len(processes.of_home(tmp_path)) == 3
    assert process.stdin is not None
    process.stdin.close()
    await until(lambda: processes.of_home(tmp_path) == [])
    process.wait()


def test_the_leash_passes_the_exit_code_on(tmp_path: Path) -> None:
    """I expect a shell's codes: its own, or 128 and the signal."""
    for code, expected in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)):
        command = leashed([sys.executable, "-c", code], tmp_path / "log")
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert process.wait() == expected


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect two files at most, and the newest output in the first."""
    monkeypatch.setattr(leash, "LOG_BYTES", 1000)
    log = tmp_path / "log"
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        with os.fdopen(write, "wb") as target:
            target.write(b"x" * 2000)
        leash._pump(source, log)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.1"]  # one chunk, over the limit: rotated at once


def test_last_line_of_nothing(tmp_path: Path) -> None:
    """I expect an empty string for a log that is missing or blank."""
    assert last_line(tmp_path / "none") == ""
    (tmp_path / "blank").write_text("\n \n")
    assert last_line(tmp_path / "blank") == ""


async def test_leftovers_are_found_by_their_home_alone(tmp_path: Path) -> None:
    """I expect a process of another home to be left alone."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mine, other = (
        subprocess.Popen(["sleep", "60"], env=processes.marked(os.environ, tmp_path / name)) for name in ("a", "b")
    )
    try:
        assert [process.pid for process in processes.of_home(tmp_path / "a")] == [mine.pid]
        assert await asyncio.to_thread(processes.end, processes.of_home(tmp_path / "a"), 5.0) == 1
        assert mine.poll() is not None
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
