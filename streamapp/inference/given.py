"""What `predict` gave, as far as that is none of what it must give: said in a sentence, for whoever wrote it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, cast

from pydantic import BaseModel

from streamapp.errors import TaskFailed
from streamapp.tasks.contract import ItemError

__all__ = ["none_of_ours", "outcomes_of"]

SHOWN = 100  # characters of what came


def outcomes_of(predictor: str, given: Any, count: int, out: type[BaseModel]) -> Sequence[BaseModel | ItemError]:
    """The outcomes of a batch of `count` items; `out` is the predictor's Out.

    Raises `TaskFailed` for what is no sequence of so many.
    """
    if isinstance(given, str | bytes | Mapping | Set) or not isinstance(given, Collection):
        raise none_of_ours(predictor, given, out)
    if len(given) != count:
        raise TaskFailed(
            f"predict of {predictor} must return one outcome for each item, and gave {len(given)} outcomes for "
            f"{count} items"
        )
    return cast("Sequence[BaseModel | ItemError]", given)  # each is looked at when it is settled


def none_of_ours(predictor: str, given: object, out: type[BaseModel], *, within: str = "") -> TaskFailed:
    """The error for a value that is no list of outcomes, or that stands `within` one and is none."""
    return TaskFailed(
        f"predict of {predictor} must return a list with its Out, {out.__name__}, or an ItemError for each item, and "
        f"gave {within}{type(given).__name__}: {repr(given)[:SHOWN]}"
    )
