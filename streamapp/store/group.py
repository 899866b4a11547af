"""Calls on the database that come together go together: one trip to a thread and one transaction for all of them.

An fsync costs a millisecond or more and SQLite has one writer, so a transaction for each write would bound the intake
to a few hundred requests a second. Here the first call starts at once, and whatever has come by the time it is done
shares the next transaction: no timer, and no waiting while there is little to do. Reads gain as much by it: under load
the way to a thread and back costs more than most of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from streamapp.errors import StoreUnavailable
from streamapp.store.outage import is_outage

__all__ = ["Call", "Groups", "answer", "commit", "look_up"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Call(Protocol[T_co]):
    """A function on a connection. `durable`: its transaction is on the disk before anybody hears of it."""

    durable: bool

    def __call__(self, connection: Connection, /) -> T_co:
        """Runs in a thread, maybe more than once."""


Calls = Sequence[Call[Any]]
Transaction = Callable[[bool], AbstractContextManager[Connection]]  # durable or not
Work = Callable[[Transaction, Calls], list[Any]]  # an outcome for each call: a value or an exception


def answer(futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Any]) -> None:
    """Give each caller of a group its own outcome, or raise it there."""
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue  # its caller was cancelled; what was written stands all the same
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


class Groups:
    """Collects calls on the event loop and does `work` on groups of them in `executor`.

    `abreast` groups are under way at a time, of `largest` calls each, which bounds how long the first waits for the
    last.
    """

    def __init__(
        self, executor: Executor, transaction: Transaction, work: Work, *, abreast: int = 1, largest: int = 256
    ) -> None:
        self._executor = executor
        self._transaction = transaction
        self._work = work
        self._abreast = abreast
        self._largest = largest
        self._waiting: list[tuple[Call[Any], asyncio.Future[Any]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, call: Call[T]) -> T:
        """Run `call` in the next group; returns once its transaction has ended. Raises what `call` raised."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        self._running = {task for task in self._running if not task.done()}
        if len(self._running) < self._abreast:
            self._running.add(asyncio.create_task(self._run(), name="store-group"))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            calls = [call for call, _ in group]
            try:
                outcomes = await loop.run_in_executor(self._executor, self._work, self._transaction, calls)
            except BaseException as error:
                outcomes = [error] * len(group)
            answer([future for _, future in group], outcomes)


def commit(transaction: Transaction, calls: Calls) -> list[Any]:
    """Writes in one transaction; should one raise, which is rare, all are done again, each behind a savepoint."""
    durable = any(call.durable for call in calls)
    try:
        with transaction(durable) as connection:
            return [call(connection) for call in calls]
    except Exception as error:
        if len(calls) == 1:
            return [error]
        if isinstance(error, StoreUnavailable):
            raise  # the disk or the lock, not one of them: nobody's write of this group holds
    with transaction(durable) as connection:
        return [_apart(connection, call) for call in calls]


def _apart(connection: Connection, call: Call[Any]) -> Any:
    savepoint = connection.begin_nested()
    try:
        outcome = call(connection)
        savepoint.commit()
    except Exception as error:
        if is_outage(error):
            raise
        savepoint.rollback()
        return error
    return outcome


def look_up(transaction: Transaction, calls: Calls) -> list[Any]:
    """Reads in one transaction: all see the same state, which is not older than any of them."""
    outcomes: list[Any] = []
    with transaction(False) as connection:
        for call in calls:
            try:
                outcomes.append(call(connection))
            except Exception as error:
                if is_outage(error):
                    raise
                outcomes.append(error)
    return outcomes
