"""A chunk on its way through a model worker, and when what failed in it is tried again."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from streamapp.errors import Permanent
from streamapp.identity import Run
from streamapp.inference.devices import is_out_of_memory
from streamapp.inference.given import none_of_ours
from streamapp.inference.suspects import ChunkId
from streamapp.models import Chunk
from streamapp.retry import delay_s
from streamapp.tasks.contract import ItemError
from streamapp.tasks.said import in_a_line

__all__ = ["ATTEMPTS", "Outcome", "Work", "as_item_error", "retry_s"]

ATTEMPTS = 3  # at an item that fails alone, before it is taken to be bad
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 5.0

Outcome = dict[str, Any]


class Work:
    """A chunk in work: its outcomes fill up, and `done` resolves when the last is there."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.id = ChunkId.of(chunk)
        self.outcomes: list[Outcome] = [{} for _ in chunk.items]
        self.left = len(chunk.items)
        self.done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, outcome: BaseModel | ItemError, out: type[BaseModel] = BaseModel) -> None:
        """Note one item's outcome, once. Raises `TaskFailed` for what is no `out`, and what one raises that is no JSON.

        Nothing is noted of a chunk that was dropped while the item was in the batch that computed.
        """
        if self.ended:
            return
        if isinstance(outcome, ItemError):
            self.outcomes[place] = {"error": str(outcome)}
        elif not isinstance(outcome, out):
            raise none_of_ours(self.chunk.predictor, outcome, out, within="a list with ")
        else:
            self.outcomes[place] = {"out": outcome.model_dump(mode="json")}
        self.left -= 1
        if not self.left:
            self.done.set_result(self.outcomes)

    def drop(self, reason: str) -> None:
        """End it now: what has no outcome yet gets this reason for one."""
        if not self.ended:
            self.done.set_result([outcome or {"error": reason} for outcome in self.outcomes])

    @property
    def ended(self) -> bool:
        """Whether it needs no outcome any more. Any thread may ask."""
        return self.done.done()

    @property
    def run(self) -> Run:
        """The run that it is of."""
        return Run(self.chunk.tenant, self.chunk.job_id, self.chunk.run)


def retry_s(attempt: int) -> float:
    """Seconds to wait after the failed attempt of that number, from 1."""
    return delay_s(attempt, first_s=FIRST_RETRY_S, longest_s=LONGEST_RETRY_S)


def as_item_error(error: Exception) -> ItemError:
    """What an item's last failure says about it."""
    if isinstance(error, ItemError):
        return error
    if isinstance(error, Permanent):
        return ItemError(str(error))
    what = in_a_line(error)
    if is_out_of_memory(error):
        return ItemError(f"there is not enough memory for it, also when it is alone, at {ATTEMPTS} attempts: {what}")
    return ItemError(f"it failed {ATTEMPTS} times, the last time with {what}")
