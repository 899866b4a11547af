"""Telling those who wait that a job has ended: at once when this worker ends it, and soon when another does.

An end in this worker is a direct signal. For those elsewhere the store is asked, in one query for all who wait, and
only while somebody does. Whoever waits for a request says whether that request is still there, so that a client which
went away is neither asked for nor kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.store.database import Database
from streamapp.store.jobs import active_of

__all__ = ["Endings"]

logger = logging.getLogger(__name__)

EVERY_S = 0.25  # between two looks at the store


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    future: asyncio.Future[bool]
    gone: Callable[[], bool]


class Endings:
    """Who waits for which run of a job. `run` looks at the store until it is cancelled; then nobody waits any more."""

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._waiting: dict[Run, set[_Waiter]] = {}
        self._somebody = asyncio.Event()
        self._closed = False

    async def wait(self, run: Run, for_s: float, gone: Callable[[], bool] = lambda: False) -> bool:
        """Wait until that run has ended, for `for_s` seconds at most. False when it had not by then.

        Also False as soon as this worker stops, and soon after `gone` says that nobody wants the answer any more.
        """
        if self._closed:
            return False
        waiter = _Waiter(asyncio.get_running_loop().create_future(), gone)
        self._waiting.setdefault(run, set()).add(waiter)
        self._somebody.set()
        try:
            async with asyncio.timeout(for_s):
                return await waiter.future
        except TimeoutError:
            return False
        finally:
            self._leave(run, waiter)

    def ended(self, run: Run) -> None:
        """That run has ended, in this worker or elsewhere."""
        self._answer([run], True)

    async def run(self) -> None:
        """Look for what other workers have ended, while somebody waits; until cancelled."""
        try:
            while True:
                await self._somebody.wait()
                await self._look()
                await asyncio.sleep(self._every_s)
        finally:
            self._closed = True
            self._answer(list(self._waiting), False)

    async def _look(self) -> None:
        self._let_go()
        if not self._waiting:
            self._somebody.clear()
            return
        asked = list(self._waiting)
        try:
            active = await self._database.read(active_of, asked)
        except StoreUnavailable as error:
            logger.warning("who waits for a job waits on, because %s", error)
            return
        self._answer([run for run in asked if run not in active], True)

    def _let_go(self) -> None:
        """Answer those who are not there any more: their handlers end, and nothing is asked for them."""
        for waiters in self._waiting.values():
            for waiter in waiters:
                if waiter.gone() and not waiter.future.done():
                    waiter.future.set_result(False)
        self._waiting = {
            run: left
            for run, waiters in self._waiting.items()
            if (left := {waiter for waiter in waiters if not waiter.future.done()})
        }

    def _answer(self, runs: Collection[Run], ended: bool) -> None:
        for run in runs:
            for waiter in self._waiting.pop(run, ()):
                if not waiter.future.done():
                    waiter.future.set_result(ended)

    def _leave(self, run: Run, waiter: _Waiter) -> None:
        waiters = self._waiting.get(run, set())
        waiters.discard(waiter)
        if not waiters:
            self._waiting.pop(run, None)
