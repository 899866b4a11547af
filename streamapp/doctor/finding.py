"""What a check finds, and how checks are run: side by side, each for a bounded time, none able to end the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel

from streamapp.errors import StreamappError

__all__ = ["Check", "Checked", "Finding", "aside", "examine", "ok", "problem", "skipped", "warning"]

T = TypeVar("T")

Verdict = Literal["ok", "warning", "problem", "skipped"]
SLOW = "Something that it waits for does not answer; look at that, or give it longer with --timeout."
UNFORESEEN = "This is a fault of the check itself; look at what it names, and report it."


class Finding(BaseModel):
    """One thing that is so, in a sentence, and in another what to do about it."""

    verdict: Verdict
    said: str
    advice: str = ""


class Checked(BaseModel):
    """What came of one check."""

    name: str
    seconds: float
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `timeout_s` is for one that takes longer than the others by its nature."""

    name: str
    run: Callable[[], Awaitable[Sequence[Finding]]]
    timeout_s: float | None = None


def ok(said: str) -> Finding:
    """That it is as it should be."""
    return Finding(verdict="ok", said=said)


def warning(said: str, advice: str) -> Finding:
    """That it works, and may not always."""
    return Finding(verdict="warning", said=said, advice=advice)


def problem(said: str, advice: str) -> Finding:
    """That something can't work like this."""
    return Finding(verdict="problem", said=said, advice=advice)


def skipped(reason: str) -> Finding:
    """That it was not looked at, and why."""
    return Finding(verdict="skipped", said=reason)


async def examine(checks: Iterable[Check], timeout_s: float) -> list[Checked]:
    """Run them all at the same time, each for `timeout_s` seconds at most; in their own order. Raises nothing."""
    return list(await asyncio.gather(*(_one(check, check.timeout_s or timeout_s) for check in checks)))


async def _one(check: Check, timeout_s: float) -> Checked:
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            findings = list(await check.run())
    except TimeoutError:
        findings = [problem(f"This did not end within {timeout_s:g} s.", SLOW)]
    except StreamappError as error:
        findings = [problem(str(error), "")]  # such an error says itself what to do
    except Exception as error:
        findings = [problem(f"{type(error).__name__}: {error}", UNFORESEEN)]
    return Checked(name=check.name, seconds=round(time.monotonic() - began, 3), findings=findings)


async def aside(work: Callable[[], T]) -> T:
    """Call what blocks in a thread that nobody waits for at the end: a disk of a dead network holds up one check."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(give: Callable[[], None]) -> None:
        if not done.done():
            give()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            caught = error
            _tell(loop, lambda: settle(lambda: done.set_exception(caught)))
        else:
            _tell(loop, lambda: settle(lambda: done.set_result(result)))

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await done


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the command has ended without this
        loop.call_soon_threadsafe(what)
