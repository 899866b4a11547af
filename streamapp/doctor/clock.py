"""The clocks: this machine's against the store's, which leases and delays go by, and against the worker's.

A broker tells nobody its time, and to learn it from a message one would have to send one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

import httpx

from streamapp.doctor.finding import Finding, aside, ok, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.errors import StoreUnavailable
from streamapp.store import examine

__all__ = ["check_clock", "judged"]

APART_S = 5.0  # as `streamapp.store.times` has it


async def check_clock(ground: Ground, url: str) -> Sequence[Finding]:
    """Ask both, and take the middle of each question as the time of its answer."""
    store = await aside(lambda: list(_store(ground.settings.store_url)))
    return [*store, *await _worker(url, ground.timeout_s / 3)]


def judged(whose: str, ahead_s: float, coarse_s: float = 0.0) -> Finding:
    """What is to be said of a clock that is so far ahead of ours; `coarse_s` is how exactly that is known."""
    if abs(ahead_s) > APART_S + coarse_s:
        where = "ahead of" if ahead_s > 0 else "behind"
        return warning(
            f"The clock of {whose} is {abs(ahead_s):.1f} s {where} this machine's.",
            "Let both follow a time server (NTP): what is due is taken as late or early by so much.",
        )
    return ok(f"The clock of {whose} agrees with this machine's.")


def _store(url: str) -> Iterator[Finding]:
    if examine.file_of(url) is not None:
        yield ok("The store is a file, so its clock is this machine's.")
        return
    try:
        with examine.opened(url) as connection:
            began = time.time()
            there = examine.now(connection)
            yield judged("the store", there - (began + time.time()) / 2)
    except StoreUnavailable:
        yield skipped("The store's clock is not known: it can't be read.")


async def _worker(url: str, timeout_s: float) -> list[Finding]:
    try:
        async with httpx.AsyncClient(timeout=timeout_s) as client:
            began = time.time()
            answer = await client.get(f"{url}/healthz")
            middle = (began + time.time()) / 2
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return [skipped("The worker's clock is not known: it does not answer.")]
    return [judged(f"the worker at {url}", there + 0.5 - middle, coarse_s=1.0)]
