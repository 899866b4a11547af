"""A batch computed in several lanes: threads that each compute a part of it, with one thread of torch's to themselves.

Torch by itself shares every single product out to its threads, which then wait for each other some hundreds of times in
a batch: while one of them prepares the next small step the others idle, and where one has no core for a moment, since
the jobs worker or the broker has it, all of them stand. Lanes meet once, at the batch's end.

This module imports torch: import it inside `Predictor.load`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["Lanes", "parts"]

T = TypeVar("T")
Made = TypeVar("Made")


class Lanes:
    """As many lanes as torch has threads when this is made. They last as long as the process."""

    def __init__(self) -> None:
        self.count = torch.get_num_threads()
        started = threading.Barrier(self.count + 1)

        def begin() -> None:
            torch.set_num_threads(1)  # of this thread, and of those that ask for the first time later
            torch.get_num_threads()  # this one has asked now
            started.wait()

        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="lane", initializer=begin)
        for _ in range(self.count):
            self._threads.submit(int)
        started.wait()
        torch.set_num_threads(self.count)  # other predictors' threads have all of them as before

    def map(self, work: Callable[[T], Made], pieces: Sequence[T]) -> list[Made]:
        """What `work` makes of each piece, in their order. Raises what it raises, once no lane is at it any more."""
        if len(pieces) < 2:
            return [work(piece) for piece in pieces]
        futures = [self._threads.submit(work, piece) for piece in pieces]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]


def parts(costs: Sequence[int], count: int, least: int) -> list[list[int]]:
    """Cut indices, sorted by their cost, into at most `count` parts of about equal cost and of `least` or more each."""
    count = max(1, min(count, sum(costs) // least))
    share = sum(costs) / count
    made: list[list[int]] = [[]]
    spent = 0
    for index in sorted(range(len(costs)), key=costs.__getitem__):
        if made[-1] and spent >= share * len(made):
            made.append([])
        made[-1].append(index)
        spent += costs[index]
    return made
