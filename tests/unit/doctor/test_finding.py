"""Checks run side by side, each for its time, and none ends the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from streamapp.doctor.finding import Check, Finding, aside, examine, ok
from streamapp.errors import BrokerUnavailable


async def _well() -> Sequence[Finding]:
    return [ok("All is well.")]


async def _raises() -> Sequence[Finding]:
    raise ZeroDivisionError("what nobody thought of")


async def _says() -> Sequence[Finding]:
    raise BrokerUnavailable("No broker answers: start it.")


async def _never() -> Sequence[Finding]:
    await asyncio.Event().wait()
    return []


async def test_each_fault_is_one_finding() -> None:
    """I expect one of each, in their order, and what a named error says as it is."""
    checks = [Check("a", _raises), Check("b", _never), Check("c", _says), Check("d", _well)]
    checked = await examine(checks, 0.05)
    assert [each.name for each in checked] == ["a", "b", "c", "d"]
    assert [each.findings[0].verdict for each in checked] == ["problem", "problem", "problem", "ok"]
    assert checked[0].findings[0].said == "ZeroDivisionError: what nobody thought of"
    assert "did not end within 0.05 s" in checked[1].findings[0].said
    assert checked[2].findings[0].said == "No broker answers: start it."
    assert all(finding.said for each in checked for finding in each.findings)


async def test_they_run_at_the_same_time() -> None:
    """I expect the first to end only through the second."""
    met = asyncio.Event()

    async def waits() -> Sequence[Finding]:
        await met.wait()
        return [ok("met")]

    async def meets() -> Sequence[Finding]:
        met.set()
        return [ok("meets")]

    checked = await examine([Check("waits", waits), Check("meets", meets)], 10.0)
    assert [each.findings[0].said for each in checked] == ["met", "meets"]


async def test_one_may_take_longer() -> None:
    """I expect its own time in place of the others'."""
    checked = await examine([Check("short", _never), Check("long", _never, timeout_s=0.02)], 0.01)
    assert ["0.01 s" in checked[0].findings[0].said, "0.02 s" in checked[1].findings[0].said] == [True, True]


async def test_a_thread_that_hangs_holds_up_nobody() -> None:
    """I expect the time to be over for it, in a thread that Python does not wait for; later it changes nothing."""
    gate, threads = threading.Event(), []

    def hangs() -> list[Finding]:
        threads.append(threading.current_thread())
        gate.wait(30)
        return [ok("late")]

    checked = await examine([Check("hangs", lambda: aside(hangs))], 0.05)
    assert checked[0].findings[0].verdict == "problem"
    assert threads[0].daemon
    gate.set()
    await asyncio.to_thread(threads[0].join, 10)
    await asyncio.sleep(0)
    assert checked[0].findings[0].verdict == "problem"


async def test_what_a_thread_raises_is_raised() -> None:
    """I expect it as the finding, as if there were no thread."""

    def raises() -> list[Finding]:
        raise BrokerUnavailable("gone")

    [checked] = await examine([Check("raises", lambda: aside(raises))], 10.0)
    assert checked.findings[0].said == "gone"
