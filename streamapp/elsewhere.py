"""Where blocking work is done, and how code that awaits is run where there is no event loop.

A worker has an event loop, and what blocks goes to a thread. A Flask site has threads and no loop: what blocks is done
`here`, and so nothing that is awaited ever waits. Then a coroutine is an ordinary call, and `at_once` makes it: the
intake's own functions serve both, instead of being written a second time. See docs/adr/0023.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Elsewhere", "at_once", "here"]

P = ParamSpec("P")
T = TypeVar("T")


class Elsewhere(Protocol):
    """Does what blocks; `asyncio.to_thread` is one."""

    def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """What `work` returns, or raises."""


async def here(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it in this thread, which may block."""
    return work(*args, **kwargs)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. Raises what it raises, and RuntimeError when it would have to wait for something."""
    try:
        work.send(None)
    except StopIteration as ended:
        found: T = ended.value
        return found
    work.close()
    raise RuntimeError(f"{work!r} waits for an event loop, and there is none here")
