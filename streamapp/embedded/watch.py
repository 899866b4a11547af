"""Runs something while children are supervised: whichever gives up first decides."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from streamapp.embedded.child import Child

__all__ = ["Watch"]

Value = TypeVar("Value")


class Watch:
    """The supervisors of the children that are up."""

    def __init__(self) -> None:
        self._supervisors: list[asyncio.Task[None]] = []

    def over(self, child: Child) -> None:
        """From now on start that child again when it ends."""
        self._supervisors.append(asyncio.create_task(child.supervise(), name=f"supervise {child.name}"))

    async def during(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The value of `work`; or the error of a supervisor that gave up meanwhile, and `work` is cancelled."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, *self._supervisors}, return_when=asyncio.FIRST_COMPLETED)
            for supervisor in self._supervisors:
                if supervisor.done():
                    supervisor.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Start nothing again from now on."""
        for supervisor in self._supervisors:
            supervisor.cancel()
        await asyncio.gather(*self._supervisors, return_exceptions=True)
