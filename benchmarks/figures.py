"""The table: what is measured, against what, the bar that must be held and the aim that is wanted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

__all__ = ["FIGURES", "Figure", "chosen", "figures_of"]

How = Literal["ratio", "difference", "alone"]
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `how` says what is judged: ours ÷ other, ours − other, or ours alone."""

    id: str
    what: str
    unit: str
    other: str
    bar: float
    aim: float
    better: Better
    how: How = "ratio"

    def value(self, ours: float, other: float) -> float:
        """What is judged."""
        return {"ratio": ours / other if other else float("nan"), "difference": ours - other, "alone": ours}[self.how]

    def holds(self, value: float) -> bool:
        """Whether the bar is held."""
        return value >= self.bar if self.better == "higher" else value <= self.bar


def figures_of(bf16: bool) -> tuple[Figure, ...]:
    """All lines, in order; the first one's bar depends on whether the hardware computes in bfloat16."""
    bar, aim = (1.7, 2.2) if bf16 else (1.05, 1.3)
    book = "whole book, POST to e-mail"
    return (
        Figure("1", book, "sentences/s", "bare encode", bar, aim, "higher"),
        Figure("1b", book, "sentences/s", "the engine alone", 0.85, 0.95, "higher"),
        Figure("2", book, "sentences/s", "origin", 1.6, 2.2, "higher"),
        Figure("3", "accepted requests, 32 connections", "1/s", "origin", 4.0, 8.0, "higher"),
        Figure("4", "intake p99 at 100/s while a book runs", "ms", "idle", 5.0, 2.0, "lower"),
        Figure("5 echo", "echo, POST to e-mail, p50", "ms", "origin", 1.0, 0.5, "lower"),
        Figure("5 short", "summary of 8 sentences, POST to e-mail, p50", "ms", "origin", 1.0, 0.5, "lower"),
        Figure("6", "short job p95, three books queued", "ms", "unloaded", 5.0, 2.0, "lower"),
        Figure("6 origin", "short job p95, three books queued", "ms", "origin, the same", 0.03, 0.005, "lower"),
        Figure("6 fifty", "short job p95, another tenant has fifty books queued", "ms", "unloaded", 5.0, 2.0, "lower"),
        Figure("7", "2,000 echo jobs at once, to e-mail and inbox", "jobs/s", "origin", 1.0, 3.0, "higher"),
        Figure("8 two", "two model workers that wait", "jobs/s", "one", 1.8, 1.95, "higher"),
        Figure("8 four", "four model workers that wait", "jobs/s", "one", 3.2, 3.8, "higher"),
        Figure("9", "memory after 20 books", "MB", "the bare model", 300.0, 150.0, "lower", "difference"),
        Figure("9 flat", "memory after 20 books", "MB", "after 5 books", 1.05, 1.02, "lower"),
        Figure("10", "kill -9 of the model worker to the next result", "s", "import torch", 3.0, 1.5, "lower"),
        Figure("11", "CPU when idle, of one core", "%", "", 6.0, 2.0, "lower", "alone"),
    )


FIGURES = figures_of(bf16=True)
"""For their names and order alone."""


def chosen(wanted: Collection[str]) -> set[str]:
    """The ids that these names mean; "6" is all lines that begin with it. Raises ValueError for a name of none."""
    ids = {figure.id for figure in FIGURES}
    found = {each: {id_ for id_ in ids if each in (id_, id_.split()[0])} for each in wanted}
    if unknown := sorted(each for each, meant in found.items() if not meant):
        raise ValueError(
            f"There is no row {', '.join(unknown)}; there are {', '.join(figure.id for figure in FIGURES)}."
        )
    return set().union(*found.values()) if wanted else ids
