"""One module a row or a family of rows: a generator that yields the samples of one paired run after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.rows import book, burst, fairness, idle, intake, latency, memory, recovery, scaling
from benchmarks.stage import Sample, Stage

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True, slots=True)
class Family:
    """Figures that are measured together. `alone`: with nothing else running that rows share."""

    figures: tuple[str, ...]
    measure: Callable[[Stage], Iterator[Mapping[str, Sample]]]
    alone: bool = False


FAMILIES = (
    Family(("3",), intake.accepted, alone=True),
    Family(("8 two", "8 four"), scaling.measure, alone=True),
    Family(("1", "1b", "2"), book.measure),
    Family(("4",), intake.breathing),
    Family(("5 echo", "5 short"), latency.measure),
    Family(("6", "6 origin", "6 fifty"), fairness.measure),
    Family(("7",), burst.measure),
    Family(("10",), recovery.measure),
    Family(("11",), idle.measure),
    Family(("9", "9 flat"), memory.measure, alone=True),
)
