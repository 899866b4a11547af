"""Whether the types that a task's steps and predictors name fit each other: what one gives, the next one gets.

Only what surely can't fit is refused: two classes of which neither is the other's subclass. `Any`, a union, and a type
that is given as text may be anything.
"""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from streamapp.errors import ConfigurationError
from streamapp.tasks.contract import Document, Predictor, Report, Step, Task
from streamapp.tasks.said import told_apart
from streamapp.tasks.typed import type_argument

__all__ = ["check_fits", "check_types"]

SOURCE, ITEM, VALUE = 0, 1, 2  # of a step


def check_types(step: Step[Any, Any, Any, Any]) -> None:
    """Of a step and its predictors. Raises `ConfigurationError` for what is no model, or does not fit."""
    kind = type(step)
    item = _named(kind, Step, ITEM)
    if step.predictors and not _is_model(item):
        raise ConfigurationError(f"Step {kind.__qualname__}: its Item must be a pydantic model, and is {_name(item)}.")
    for predictor in step.predictors:
        out, wanted = _named(predictor, Predictor, 2), _named(predictor, Predictor, 0)
        if not _is_model(out):
            raise ConfigurationError(
                f"Predictor {predictor.__qualname__}: its Out must be a pydantic model, and is {_name(out)}."
            )
        if _surely_apart(item, wanted):
            its, other = told_apart(item, wanted)
            raise ConfigurationError(
                f"Step {kind.__qualname__} has {its} as its Item, and its predictor {predictor.__qualname__} takes "
                f"{other}."
            )


def check_fits(task: Task) -> None:
    """From step to step, and to the report. Raises `ConfigurationError`."""
    for step, following in pairwise(map(type, task.steps)):
        value, source = _named(step, Step, VALUE), _named(following, Step, SOURCE)
        if _surely_apart(value, source):
            its, other = told_apart(value, source)
            raise ConfigurationError(
                f"Task {type(task).__qualname__}: step {step.__qualname__} gives {its}, its Value, and the next one, "
                f"{following.__qualname__}, takes {other}, its Source."
            )
    last = type(task.steps[-1])
    value = _named(last, Step, VALUE)
    if _surely_apart(value, Report):
        raise ConfigurationError(
            f"Task {type(task).__qualname__}: its last step, {last.__qualname__}, must give a Report, and its Value is "
            f"{told_apart(value, Report)[0]}."
        )


def _named(kind: type, base: type, position: int) -> Any:
    try:
        return type_argument(kind, base, position)
    except TypeError as error:
        raise ConfigurationError(str(error)) from error


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, BaseModel)


def _surely_apart(given: Any, wanted: Any) -> bool:
    if Any in (given, wanted) or not (inspect.isclass(given) and inspect.isclass(wanted)):  # Any is a class too
        return False
    if wanted is Document:  # a protocol: what has its methods is one
        return not hasattr(given, "open")
    if any(getattr(each, "_is_protocol", False) for each in (given, wanted)):
        return False
    return not (issubclass(given, wanted) or issubclass(wanted, given))


def _name(kind: Any) -> str:
    return kind.__qualname__ if inspect.isclass(kind) else str(kind)
