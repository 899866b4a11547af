"""Whether a task, its steps and their predictors have all that the contract asks for.

What is missing would otherwise be found in a model worker, which can only end, or in the middle of a job.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from streamapp.errors import ConfigurationError
from streamapp.tasks.contract import Predictor, Step, Task

__all__ = ["check_predictor", "check_step", "check_task", "checked_budget"]

OF_TASK = {
    "name": 'what clients name in `task`, such as "wordcount"',
    "accepts": 'the media types that it takes, such as ("text/plain",)',
    "params": "the class of its parameters, a pydantic model, such as Params where it has none",
    "steps": "what it does, such as (CountStep(),)",
}
OF_STEP = {
    "predictors": "the classes of the models that it needs, such as (WordLengths,)",
    "split": "the method that cuts the document, or the value of the step before, into items",
    "reduce": "the method that puts the results together again",
}
OF_PREDICTOR = {
    "name": 'what its topic is called by, such as "word-lengths"',
    "version": 'a string, such as "1", that changes when what it gives does',
    "budget": "how much of what `cost` counts a batch may hold, such as 10_000",
    "prepare": "the method that makes an item ready, such as by tokenising it",
    "cost": "the method that says what an item takes of the budget",
    "predict": "the method that computes a batch, and returns as many outcomes as it has items",
}


def check_task(task: Task) -> None:
    """Raises `ConfigurationError` for what it lacks, and for what is not of its kind."""
    _has_all("Task", type(task), task, Task, OF_TASK)
    label = f"Task {type(task).__qualname__}"
    if not _is_sequence_of(str, task.accepts):
        raise ConfigurationError(f"{label}: `accepts` must be {OF_TASK['accepts']}, and is {task.accepts!r}.")
    if not (inspect.isclass(task.params) and issubclass(task.params, BaseModel)):
        raise ConfigurationError(f"{label}: `params` must be {OF_TASK['params']}, and is {task.params!r}.")
    if not _is_sequence_of(Step, task.steps):
        raise ConfigurationError(f"{label}: `steps` must hold steps, such as (CountStep(),), and is {task.steps!r}.")
    if not isinstance(task.version, str):
        raise ConfigurationError(f'{label}: its version must be a string, such as "1".')


def check_step(step: Step[Any, Any, Any, Any]) -> None:
    """The same of a step."""
    _has_all("Step", type(step), step, Step, OF_STEP)
    named: Any = step.predictors
    label = f"Step {type(step).__qualname__}"
    if not _is_sequence_of(type, named) or not all(issubclass(each, Predictor) for each in named):
        raise ConfigurationError(f"{label}: `predictors` must be {OF_STEP['predictors']}, and is {named!r}.")
    for name in ("split", "reduce", "partial"):
        _check_call(label, type(step), Step, name)


def check_predictor(kind: type[Predictor[Any, Any, Any]]) -> None:
    """The same of a predictor."""
    _has_all("Predictor", kind, kind, Predictor, OF_PREDICTOR)
    label = f"Predictor {kind.__qualname__}"
    if not isinstance(kind.version, str):
        raise ConfigurationError(f'{label}: its version must be a string, such as "1".')
    _checked_whole(label, "its budget", kind.budget)
    _checked_whole(label, "its chunk_items", kind.chunk_items)
    if not _is_number(kind.timeout_s, int | float):
        raise ConfigurationError(f"{label}: its timeout_s must be seconds above 0, and is {kind.timeout_s!r}.")
    for name in ("load", "budget_loaded", "prepare", "cost", "predict"):
        _check_call(label, kind, Predictor, name)


def checked_budget(predictor: Predictor[Any, Any, Any], budget: Any) -> int:
    """What `budget_loaded` gave. Raises `ConfigurationError` for what is no budget."""
    return _checked_whole(f"Predictor {type(predictor).__qualname__}", "what budget_loaded gives", budget)


def _checked_whole(label: str, what: str, number: Any) -> int:
    if not _is_number(number, int):
        raise ConfigurationError(f"{label}: {what} must be a whole number above 0, and is {number!r}.")
    return int(number)


def _has_all(what: str, kind: type, thing: object, base: type, needed: Mapping[str, str]) -> None:
    for attribute, meaning in needed.items():
        found = getattr(thing, attribute, None)
        if found is None or getattr(found, "__func__", found) is getattr(base, attribute, None):
            raise ConfigurationError(f"{what} {kind.__qualname__} lacks {attribute}: {meaning}.")


def _check_call(label: str, kind: type, base: type, name: str) -> None:
    """Raises `ConfigurationError` for what can't be called with as many arguments as it is going to be."""
    method = getattr(kind, name)
    if not callable(method):
        raise ConfigurationError(f"{label}: its {name} must be a method, and is {method!r}.")
    given = [each for each in inspect.signature(getattr(base, name)).parameters if each != "self"]
    bound = not inspect.isfunction(inspect.getattr_static(kind, name))  # a static method, or one of the class
    try:
        takes = inspect.signature(method)
    except ValueError:  # what is written in C need not say
        return
    try:
        takes.bind(*given) if bound else takes.bind("self", *given)
    except TypeError as error:
        call = f"{name}({', '.join(given)})"
        raise ConfigurationError(f"{label}: its {name} is called as {call}, and takes {takes}.") from error


def _is_sequence_of(kind: type, value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, kind) for each in value)


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0
