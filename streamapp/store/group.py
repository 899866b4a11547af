"""Group commit: writes that come while another transaction commits go together into the next one.

An fsync costs a millisecond or more and SQLite has one writer, so a transaction for each write would bound the intake
to a few hundred requests a second. Here the first write starts at once, and whatever has come by the time it is done
shares the next transaction: no timer, and no waiting while there is little to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy import Connection

from streamapp.store.outage import is_outage

__all__ = ["GroupCommit", "answer"]

T = TypeVar("T")
Call = Callable[[Connection], Any]

LARGEST = 256  # bounds how long the first of a group waits for the last


def answer(futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Any]) -> None:
    """Give each caller of a group its own outcome, or raise it there."""
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue  # its caller was cancelled; what was written stands all the same
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


class GroupCommit:
    """Collects calls on the event loop and runs them in groups in `executor`, which has one thread."""

    def __init__(self, executor: Executor, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._executor = executor
        self._transaction = transaction
        self._waiting: list[tuple[Call, asyncio.Future[Any]]] = []
        self._running: asyncio.Task[None] | None = None

    async def submit(self, call: Callable[[Connection], T]) -> T:
        """Run `call` in the next group; returns once that is committed. Raises what `call` raised."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="group-commit")
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            try:
                outcomes = await loop.run_in_executor(self._executor, self._commit, [call for call, _ in group])
            except BaseException as error:
                outcomes = [error] * len(group)
            answer([future for _, future in group], outcomes)

    def _commit(self, calls: list[Call]) -> list[Any]:
        outcomes: list[Any] = []
        with self._transaction() as connection:
            for call in calls:
                savepoint = connection.begin_nested()
                try:
                    outcomes.append(call(connection))
                    savepoint.commit()
                except Exception as error:
                    if is_outage(error):
                        raise  # the disk or the lock, not this call: nobody's write of this group holds
                    savepoint.rollback()
                    outcomes.append(error)
        return outcomes
