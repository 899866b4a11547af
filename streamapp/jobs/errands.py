"""Small calls that wait for the workshop go there together.

The way to a process next door and back costs several times what a task's code takes on a few lines of text. So while
both processes are busy, small calls gather, and the next one that is free takes some of them in one call: as many as
are expected to be done within a moment, judged by how long the task took before. What is alone goes at once and by
itself, and so does what is large, slow, or not known yet.

A crash or an endless loop still harms no neighbour: a call of several that does not come back is given up soon, and
each of them is made again by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from streamapp.documents.claim import INLINE_BYTES
from streamapp.errors import TaskFailed, Transient
from streamapp.jobs import taskwork
from streamapp.jobs.taskwork import Assignment
from streamapp.jobs.workshop import PROCESSES, Workshop
from streamapp.store.group import answer

__all__ = ["Errands"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOMENT_S = 0.02  # what one may wait for its neighbours
MOST = 32
NEWEST = 0.25  # the weight of a task's last time in what is expected of it
PATIENCE_S = 10.0  # with a call of several

Kind = tuple[str, str]  # a function and a task


@dataclass(frozen=True, slots=True)
class _Errand:
    kind: Kind
    size: int
    call: Callable[[], Any]
    done: asyncio.Future[Any]


class Errands:
    """Runs functions of `streamapp.jobs.taskwork` in the workshop, as `Workshop.run_sized` does."""

    def __init__(self, workshop: Workshop, abreast: int = PROCESSES) -> None:
        self._workshop = workshop
        self._abreast = abreast
        self._waiting: deque[_Errand] = deque()
        self._runners = 0
        self._tasks: set[asyncio.Task[None]] = set()  # or nobody would hold them
        self._takes_s: dict[Kind, float] = {}

    async def run_sized(
        self,
        size: int,
        work: Callable[Concatenate[Assignment, P], T],
        assignment: Assignment,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work` on an assignment of `size` bytes. Raises what it raised, and what `Workshop.run_sized` does."""
        if size > INLINE_BYTES:
            return await self._workshop.run_sized(size, work, assignment, *args, **kwargs)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        kind = (work.__name__, assignment.task)
        self._waiting.append(_Errand(kind, size, partial(work, assignment, *args, **kwargs), done))
        if self._runners < self._abreast:
            self._runners += 1
            task = asyncio.create_task(self._run(), name="errands")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._make(self._next())
        finally:
            self._runners -= 1  # here and not when the task is done: whoever has its answer may ask again before that

    async def _make(self, some: Sequence[_Errand]) -> None:
        try:
            await (self._together(some) if len(some) > 1 else self._alone(some[0]))
        except BaseException:  # the process is about to end; who waits must not wait for ever
            _answer(some, [Transient("the process pool is closing")] * len(some))
            raise

    def _next(self) -> list[_Errand]:
        """The one that waits longest, and those behind it that are done within a moment with it."""
        some = [self._waiting.popleft()]
        left = MOMENT_S - self._expected_s(some[0])
        while self._waiting and len(some) < MOST and left >= self._expected_s(self._waiting[0]):
            left -= self._expected_s(self._waiting[0])
            some.append(self._waiting.popleft())
        return some

    def _expected_s(self, errand: _Errand) -> float:
        return self._takes_s.get(errand.kind, MOMENT_S)

    async def _together(self, some: Sequence[_Errand]) -> None:
        try:
            ended = await self._workshop.once(sum(errand.size for errand in some), _calls(some), PATIENCE_S)
        except (BrokenProcessPool, TaskFailed) as error:
            logger.warning("%d calls did not come back together and are made one by one: %r", len(some), error)
            for errand in some:
                self._takes_s.pop(errand.kind, None)
            await asyncio.gather(*map(self._alone, some))
        except Exception as error:
            _answer(some, [error] * len(some))
        else:
            self._learn(some, ended)

    async def _alone(self, errand: _Errand) -> None:
        try:
            ended = await self._workshop.run_sized(errand.size, taskwork.each, [errand.call])
        except Exception as error:
            _answer([errand], [error])
        else:
            self._learn([errand], ended)

    def _learn(self, some: Sequence[_Errand], ended: Sequence[taskwork.Ended]) -> None:
        for errand, each in zip(some, ended, strict=True):
            before = self._takes_s.get(errand.kind, each.seconds)
            self._takes_s[errand.kind] = before + NEWEST * (each.seconds - before)
        _answer(some, [each.outcome for each in ended])


def _calls(some: Sequence[_Errand]) -> Callable[[], list[taskwork.Ended]]:
    return partial(taskwork.each, [errand.call for errand in some])


def _answer(some: Sequence[_Errand], outcomes: Sequence[Any]) -> None:
    answer([errand.done for errand in some], outcomes)
