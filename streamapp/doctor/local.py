"""Whether `streamapp up` runs, where the settings leave the broker to it.

Without it there is no broker, no mailbox, no worker and at first no store. That is one fault, so it is told here once,
and what else looks for one of these skips it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped
from streamapp.doctor.ground import Ground
from streamapp.embedded.home import holder

__all__ = ["check_up", "judged", "unless_idle"]

NOT_RUNNING = "Not looked at: it comes with `streamapp up`, which does not run."


async def check_up(ground: Ground, url: str) -> Sequence[Finding]:
    """Look for its broker, and where that is not, for itself and for the worker of another one."""
    home = ground.settings.home
    if not await ground.idle():
        return [ok(f"The broker of `streamapp up` listens, with the home {home}.")]
    process = await aside(lambda: holder(home))
    return [judged(home, url, begun=home.exists(), process=process, answers=await _answers(url, ground.timeout_s / 3))]


async def unless_idle(ground: Ground, check: Callable[[Ground], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    """What a check finds of something that `up` brings along; where that does not run, that it was not looked at."""
    return [skipped(NOT_RUNNING)] if await ground.idle() else await check(ground)


def judged(home: Path, url: str, *, begun: bool, process: int | None, answers: bool) -> Finding:
    """What is to be said of a home without its broker: whether there is such a folder yet, which `up` has it, and
    whether a worker answers all the same.
    """
    if process is not None:
        return problem(
            f"`streamapp up` runs with the home {home} (process {process}), and its broker does not listen: it is "
            "being started.",
            f"Look again when it says that all is up; if that does not come, the logs in {home / 'logs'} say why.",
        )
    if answers:
        return problem(
            f"`streamapp up` is not running with the home {home}; the worker that answers at {url} has another.",
            "Run this with the settings of that one: in the folder that it was started in or with its STREAMAPP_HOME, "
            "and with its STREAMAPP_BROKER, if it has one.",
        )
    said = "is not running" if begun else "was never started"
    return problem(
        f"`streamapp up`, which brings the broker, the mailbox and the worker, {said} with the home {home}.",
        "Start it: `streamapp up`. If it runs with another home, set STREAMAPP_HOME to that; and with a broker of your "
        "own, set STREAMAPP_BROKER.",
    )


async def _answers(url: str, timeout_s: float) -> bool:
    try:
        async with httpx.AsyncClient(timeout=timeout_s) as client:
            return bool((await client.get(f"{url}/healthz")).json().get("status") == "ok")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError):
        return False
