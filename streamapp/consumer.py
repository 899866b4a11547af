"""Faust's consumer without the four tasks that it makes of each message.

Faust hands a message to its stream in a race against being suspended, stopped or crashed: a task for each of the four,
three of which are cancelled a moment later. That was half of all tasks of a worker. Handing over rarely waits for
anything: only for a full stream, or while the flow is suspended. So the hand-over is begun on the spot, and only one
that does have to wait takes part in Faust's race. This is what a task that starts eagerly does (Python 3.12).
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from faust.transport.drivers.aiokafka import Consumer
from mode.services import WaitResults

__all__ = ["PromptConsumer"]


class PromptConsumer(Consumer):
    """Hands over at once what can be handed over at once."""

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - as it is in Faust
        """Return when the first of these has ended. The first one begins here; the others only if it has to wait."""
        if not all(isinstance(coro, Coroutine) for coro in coros):
            return await super().wait_first(*coros, timeout=timeout)
        first, *others = coros
        try:
            waits_for = first.send(None)
        except BaseException as ended:
            for other in others:
                other.close()
            if not isinstance(ended, StopIteration):
                raise
            return WaitResults([first], [ended.value], self.should_stop)
        return await super().wait_first(_rest(first, waits_for), *others, timeout=timeout)


async def _rest(begun: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
    return await _resumed(begun, waits_for)


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that was begun outside of this task, and that waits for this future."""
    while True:
        try:
            yield waits_for
            step = partial(begun.send, None)
        except BaseException as error:
            step = partial(begun.throw, error)
        try:
            waits_for = step()
        except StopIteration as ended:
            return ended.value
