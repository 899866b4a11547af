"""How an agent works on messages: bounded, guarded, and acknowledged in order.

Faust acknowledges what leaves an agent by an exception, and commits past a message that is still in work when a later
one is acknowledged first. So nothing escapes from here, and an acknowledgement waits until every earlier message of its
partition has one. Messages are worked on concurrently up to a limit, because one that waits (for SMTP, for a process)
must not hold up the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from faust.streams import Stream
from faust.types import TP, EventT

from streamapp.errors import Permanent, Transient
from streamapp.retry import Backoff
from streamapp.wire import Undecodable

__all__ = ["DeadLetters", "Flow", "InOrder", "InWork"]

logger = logging.getLogger(__name__)

BUG_ATTEMPTS = 3


class DeadLetters(Protocol):
    """Where messages go that can't be worked on."""

    async def bury(self, event: EventT[Any], reason: str) -> None:
        """Put the message's bytes and place onto the dead-letter topic; returns when the broker has them."""


class InOrder:
    """Acknowledges the messages of each partition in the order of their offsets, whatever order their work ends in."""

    def __init__(self) -> None:
        self._open: dict[TP, deque[_Ticket]] = {}

    def take(self, event: EventT[Any]) -> _Ticket:
        """Note that work on a message begins. Offsets going back mean a rebalance: older tickets count no more."""
        line = self._open.setdefault(event.message.tp, deque())
        if line and event.message.offset <= line[-1].event.message.offset:
            line.clear()
        ticket = _Ticket(event)
        line.append(ticket)
        return ticket

    def done(self, ticket: _Ticket) -> None:
        """Work on the message has ended: acknowledge it, and those after it that only waited for it."""
        ticket.done = True
        line = self._open[ticket.event.message.tp]
        while line and line[0].done:
            line.popleft().event.ack()


class _Ticket:
    __slots__ = ("done", "event", "since", "waits_since", "why")

    def __init__(self, event: EventT[Any]) -> None:
        self.event = event
        self.done = False
        self.since = time.monotonic()
        self.waits_since: float | None = None
        self.why = ""


@dataclass(frozen=True, slots=True)
class InWork:
    """A message in work, for those who look on. Times are those of `time.monotonic`, in seconds.

    `waits_since` is when its first attempt failed, None while that is still under way; `why` is how the latest failed,
    and `where` the line at which its work stands.
    """

    tp: TP
    offset: int
    since: float
    waits_since: float | None
    why: str
    where: str


class Flow:
    """Runs one agent's handler on a stream: at most `limit` messages at a time."""

    def __init__(self, name: str, handle: Callable[[Any], Awaitable[None]], dead: DeadLetters, limit: int) -> None:
        self.name = name
        self.topic = ""
        self.finished_at = time.monotonic()  # when work on a message ended last, whichever it was
        self._handle = handle
        self._dead = dead
        self._free = asyncio.Semaphore(limit)
        self._order = InOrder()
        self._tasks: dict[asyncio.Task[None], _Ticket] = {}
        self._draining = False

    async def run(self, stream: Stream[Any]) -> None:
        """Take messages until the stream ends. Never raises but for cancellation."""
        async for event in stream.noack().events():
            await self._free.acquire()
            if self._draining:
                self._free.release()
                continue  # unacknowledged, it comes again to whoever is next
            ticket = self._order.take(event)
            task = asyncio.create_task(
                self._work(ticket), name=f"{self.name} {event.message.tp} {event.message.offset}"
            )
            self._tasks[task] = ticket
            task.add_done_callback(self._tasks.pop)

    async def drain(self, timeout_s: float) -> bool:
        """Begin nothing more, and wait for what is in work. False when some of it was given up unacknowledged."""
        self._draining = True
        if not self._tasks:
            return True
        _, left = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        for task in left:
            logger.warning("%s is handed back: it did not end within %.0f s", task.get_name(), timeout_s)
            task.cancel()
        return not left

    @property
    def busy(self) -> int:
        """Messages in work."""
        return len(self._tasks)

    @property
    def full(self) -> bool:
        """Whether what comes next has to wait for one of those in work."""
        return self._free.locked()

    def in_work(self) -> list[InWork]:
        """The messages in work, the oldest first. Any thread may ask."""
        return [
            InWork(
                ticket.event.message.tp,
                ticket.event.message.offset,
                ticket.since,
                ticket.waits_since,
                ticket.why,
                _where(task),
            )
            for task, ticket in self._tasks.copy().items()
        ]

    async def _work(self, ticket: _Ticket) -> None:
        try:
            await self._guarded(ticket)
        except asyncio.CancelledError:
            return  # the process ends; unacknowledged, the message comes again
        else:
            self.finished_at = time.monotonic()
            self._order.done(ticket)
        finally:
            self._free.release()

    async def _guarded(self, ticket: _Ticket) -> None:
        """Handle a message until it is handled: again while the failure is transient, else as a dead letter."""
        event = ticket.event
        backoff = Backoff()
        bugs = 0
        while True:
            try:
                if isinstance(event.value, Undecodable):
                    await self._dead.bury(event, event.value.reason)
                else:
                    await self._handle(event.value)
                return
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                logger.warning("%s waits, because something that it waited for was cancelled", self.name)
                ticket.why = "something that it waited for was cancelled"
            except Transient as error:
                logger.warning("%s waits, because %s", self.name, error)
                ticket.why = str(error)
            except Permanent as error:
                if not isinstance(event.value, Undecodable):
                    event.value = Undecodable(str(error))
                    continue
                logger.error("%s can't bury a message: %s", self.name, error)
                ticket.why = f"it can't be buried: {error}"
            except Exception as error:
                bugs += 1
                logger.exception("%s raised on a message, attempt %d", self.name, bugs)
                ticket.why = f"{type(error).__name__}: {error}"
                if bugs == BUG_ATTEMPTS:
                    event.value = Undecodable(f"{type(error).__name__}: {error}")
                    continue
            ticket.waits_since = ticket.waits_since or time.monotonic()
            await backoff.wait()


def _is_cancelled() -> bool:
    """Whether this task itself was cancelled, and not merely a future that its work waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _where(task: asyncio.Task[None]) -> str:
    """The line at which a task stands: that of the innermost coroutine it waits in."""
    line = "before its first line"
    inner: Any = task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is not None:
            line = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return line
