"""Leaving for certain, each in a process of its own: whatever hangs, the process is gone in time and says why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NoReturn

import faust
import pytest

from streamapp import agents, apps
from streamapp.agents import run_or_leave
from streamapp.flow import Flow
from streamapp.kafka.access import Kafka
from streamapp.testing.fakes import RecordingDeadLetters

EX_SOFTWARE = 70
BEGIN = """
import asyncio, logging, os, re, signal, sys, threading, time
from streamapp.leaving import Deadline, leave, pulse
logging.basicConfig(format="%(message)s")
stopping = Deadline(1.0, lambda: "it hangs")
stopping.prepare()
"""
HOLD_GIL = 're.fullmatch(r"(a|a)*b", "a" * 200)'


def run(script: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=timeout_s, check=False
    )


def test_leave() -> None:
    """I expect the reason in the log and the code, although a thread does not end."""
    ended = run("threading.Thread(target=time.sleep, args=(100,)).start(); leave('enough')")
    assert (ended.returncode, ended.stderr) == (EX_SOFTWARE, "leaving, because enough\n")


def test_leaving_waits_for_no_log() -> None:
    """I expect the process to end although somebody holds the log."""
    assert run("logging.root.handlers[0].acquire(); leave('enough')").returncode == EX_SOFTWARE


@pytest.mark.parametrize("hangs", ["time.sleep(100)", "asyncio.run(asyncio.sleep(100))"])
def test_a_deadline(hangs: str) -> None:
    """I expect the end in time, with what it says, once it is armed; and a second call not to put it off."""
    ended = run(f"stopping.arm(); threading.Timer(0.5, stopping.arm).start(); {hangs}")
    assert (ended.returncode, ended.stderr) == (EX_SOFTWARE, "leaving, because it hangs\n")


def test_a_deadline_while_the_gil_is_held() -> None:
    """I expect the process to end, and the stack to say where it hung."""
    ended = run(f"stopping.arm(); {HOLD_GIL}")
    assert ended.returncode == 1
    assert "fullmatch" in ended.stderr


def test_a_deadline_that_is_armed_by_a_signal_while_the_loop_is_blocked() -> None:
    """I expect a signal that the event loop never gets to see to start the clock."""
    ended = run(
        "signal.signal(signal.SIGTERM, lambda *_: stopping.arm())\n"
        "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()\n"
        "time.sleep(100)"
    )
    assert ended.returncode == EX_SOFTWARE


def test_a_deadline_that_nobody_arms() -> None:
    """I expect a process that ends by itself to do so, with its own code."""
    assert run("time.sleep(2.5); sys.exit(3)").returncode == 3


def test_a_deadline_whose_words_fail() -> None:
    """I expect it to end the process all the same."""
    ended = run("stopping._why = lambda: 1 / 0; stopping.arm(); time.sleep(100)")
    assert ended.returncode == EX_SOFTWARE


@pytest.mark.parametrize("blocks", ["time.sleep(100)", HOLD_GIL])
def test_a_loop_that_stands_still(blocks: str) -> None:
    """I expect the process to end, and its stacks to say at what it stood."""
    ended = run(
        f"""
async def main():
    task = asyncio.create_task(pulse(1.0, stopping))
    await asyncio.sleep(2.5)
    print("alive", file=sys.stderr, flush=True)
    {blocks}
asyncio.run(main())
"""
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("alive\n")
    assert "in main" in ended.stderr


async def _raises(stream: Any) -> None:
    raise RuntimeError("sabotage")


async def _returns(stream: Any) -> None:
    return


async def _is_cancelled(stream: Any) -> None:
    raise asyncio.CancelledError


def _flow(run: Callable[[Any], Any]) -> Flow:
    flow = Flow("results", _returns, RecordingDeadLetters(), 1)
    flow.run = run  # type: ignore[method-assign,assignment]
    return flow


def _left(reason: str, code: int = EX_SOFTWARE) -> NoReturn:
    raise SystemExit(reason)


@pytest.mark.parametrize(("run", "says"), [(_raises, "results died: .*sabotage"), (_returns, "results has ended")])
async def test_an_agent_that_ends(run: Callable[[Any], Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the process to be left when an agent raises or returns while the app runs, with the agent's name."""
    monkeypatch.setattr(agents, "leave", _left)
    with pytest.raises(SystemExit, match=says):
        await run_or_leave(_flow(run), None, lambda: False)


@pytest.mark.parametrize("run", [_raises, _returns])
async def test_an_agent_that_ends_with_its_app(run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect nothing of it while the app stops."""
    monkeypatch.setattr(agents, "leave", _left)
    with suppress(RuntimeError):  # Faust's again
        await run_or_leave(_flow(run), None, lambda: True)


async def test_an_agent_that_faust_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect that to be Faust's own affair: it starts the agent again."""
    monkeypatch.setattr(agents, "leave", _left)
    with pytest.raises(asyncio.CancelledError):
        await run_or_leave(_flow(_is_cancelled), None, lambda: False)


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_crash(stopping: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what reaches the crash path from below to end the process before anything else, unless it stops."""
    monkeypatch.setattr(apps, "leave", _left)
    app = apps.LifecycleApp("crash", kafka=Kafka("127.0.0.1:1"), store="memory://", autodiscover=False)
    service = faust.Service(beacon=faust.Service(beacon=app.beacon).beacon)
    if stopping:
        app._stopped.set()
        await service.crash(RuntimeError("sabotage"))
        assert app.crashed
        return
    with pytest.raises(SystemExit, match="sabotage"):
        await service.crash(RuntimeError("sabotage"))


class _Parts:
    """Parts that hang in `draining`, or raise there."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.stopped = False

    async def draining(self) -> None:
        """As said."""
        if self.error is not None:
            raise self.error

    async def stop(self) -> None:
        """Note it."""
        self.stopped = True


@pytest.mark.parametrize(
    ("drained", "error", "code"),
    [
        ([True, True], None, 0),
        ([True, False], None, EX_SOFTWARE),  # something was handed back
        ([True, True], RuntimeError("sabotage"), EX_SOFTWARE),
        ([True, asyncio.CancelledError()], None, EX_SOFTWARE),
    ],
)
async def test_the_exit_code_says_whether_all_was_finished(
    drained: list[Any], error: Exception | None, code: int
) -> None:
    """I expect 0 only when nothing was handed back, and the parts to be stopped in any case."""
    app = apps.LifecycleApp("stop", kafka=Kafka("127.0.0.1:1"), store="memory://", autodiscover=False)
    parts = _Parts(error)
    app.parts = parts  # type: ignore[assignment]
    app.flows = [SimpleNamespace(drain=_answers(answer)) for answer in drained]  # type: ignore[misc]
    await app.on_stop()
    assert (app.exit_code, parts.stopped, app.deadline.armed) == (code, True, True)


def _answers(answer: Any) -> Callable[[float], Any]:
    async def drain(timeout_s: float) -> bool:
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    return drain


async def test_draining_goes_on_side_by_side() -> None:
    """I expect the parts' farewell to take nothing from the time that work in hand has."""
    app = apps.LifecycleApp("stop", kafka=Kafka("127.0.0.1:1"), store="memory://", autodiscover=False)
    parts = _Parts()

    async def sleep(*_: Any) -> bool:
        await asyncio.sleep(0.3)
        return True

    parts.draining = sleep  # type: ignore[method-assign,assignment]
    app.parts = parts  # type: ignore[assignment]
    app.flows = [SimpleNamespace(drain=sleep)] * 3  # type: ignore[list-item]
    began = time.monotonic()
    await app.on_stop()
    assert time.monotonic() - began < 0.9
