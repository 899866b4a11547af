"""Which tasks there are: those of installed packages (entry points) and those that the settings name."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from streamapp.errors import ConfigurationError
from streamapp.tasks.complete import check_predictor, check_step, check_task
from streamapp.tasks.contract import Predictor, Step, Task
from streamapp.tasks.fitting import check_fits, check_types
from streamapp.tasks.heavy import heavy_here
from streamapp.tasks.typed import type_argument

__all__ = ["GROUP", "Registry", "load_registry"]

GROUP = "streamapp.tasks"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class Registry(Mapping[str, Task]):
    """The tasks by name, checked once when they are loaded so that a mistake is said at start.

    `brought` has the heavy libraries that came with them, by the module of the task that was the first to import them.
    """

    def __init__(self, tasks: Iterable[Task], brought: Mapping[str, Sequence[str]] | None = None) -> None:
        self.brought = brought or {}
        self._tasks: dict[str, Task] = {}
        self.predictors: dict[str, type[Predictor[Any, Any, Any]]] = {}
        for task in tasks:
            self._add(task)

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def _add(self, task: Task) -> None:
        kind = type(task).__qualname__
        check_task(task)
        if not _is_name(task.name):
            raise ConfigurationError(f"Task {kind}: its name {task.name!r} must match {NAME.pattern}.")
        if task.name in self._tasks and type(self._tasks[task.name]) is not type(task):
            raise ConfigurationError(f"Two tasks are named {task.name!r}: {kind} and another. Rename one.")
        if not task.steps:
            raise ConfigurationError(f"Task {kind} has no steps.")
        for step in task.steps:
            self._add_step(step)
        check_fits(task)
        self._tasks[task.name] = task

    def _add_step(self, step: Step[Any, Any, Any, Any]) -> None:
        check_step(step)
        for predictor in step.predictors:
            check_predictor(predictor)
        check_types(step)
        if len({predictor.name for predictor in step.predictors}) < len(step.predictors):
            raise ConfigurationError(f"Step {type(step).__qualname__} names a predictor twice.")
        for predictor in step.predictors:
            if not _is_name(predictor.name):
                raise ConfigurationError(f"Predictor {predictor.__qualname__}: its name must match {NAME.pattern}.")
            if self.predictors.setdefault(predictor.name, predictor) is not predictor:
                raise ConfigurationError(f"Two predictors are named {predictor.name!r}. Rename one.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def item_type(step: Step[Any, Any, Any, Any]) -> type[BaseModel]:
    """The step's Item. Raises TypeError when its class does not say."""
    kind: type[BaseModel] = type_argument(type(step), Step, 1)
    return kind


def out_type(predictor: type[Predictor[Any, Any, Any]]) -> type[BaseModel]:
    """The predictor's Out. Raises TypeError when its class does not say."""
    kind: type[BaseModel] = type_argument(predictor, Predictor, 2)
    return kind


def load_registry(named: Iterable[str] = (), only: Collection[str] = (), default: str = "") -> Registry:
    """Load the tasks of installed packages and those in `named` (module:Class); of all these `only` some, if given.

    Raises `ConfigurationError`, also where the task that `default` names is none of them. Tasks that are left out are
    not imported.
    """
    points = entry_points(group=GROUP)
    brought: dict[str, list[str]] = {}
    loaded = [_made(point.name, point.load, brought) for point in points if not only or point.name in only]
    loaded.extend(_made(path, lambda path=path: _import(path), brought) for path in named)
    names = {*points.names, *(getattr(task, "name", "") for task in loaded)}  # it may lack one
    loaded = [task for task in loaded if not only or getattr(task, "name", "") in only]
    if missing := sorted(set(only) - {task.name for task in loaded}):
        there = ", ".join(sorted(filter(None, names)))
        raise ConfigurationError(
            f"STREAMAPP_ONLY_TASKS names {', '.join(missing)}, and no such task is here; there are {there}."
        )
    if default and default not in {task.name for task in loaded}:
        there = ", ".join(sorted(task.name for task in loaded))
        raise ConfigurationError(f"STREAMAPP_DEFAULT_TASK is {default}, and no such task is here; there are {there}.")
    return Registry(loaded, brought)


def _made(label: str, load: Any, brought: dict[str, list[str]]) -> Task:
    before = heavy_here()
    task = _make(label, load)
    if came := sorted(heavy_here() - before):
        brought[type(task).__module__] = came
    return task


def _make(label: str, load: Any) -> Task:
    try:
        kind = load()
        if inspect.isclass(kind) and issubclass(kind, Task):
            return kind()
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"Task {label} can't be imported: {type(error).__name__}: {error}") from error
    raise ConfigurationError(f"Task {label} is no subclass of streamapp.tasks.Task.")


def _import(path: str) -> Any:
    module, colon, name = path.partition(":")
    if not colon or not name:
        raise ConfigurationError(f"Task {path!r} must be named as module:Class.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `faust -A` does: a task in this folder is found
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):  # else it is there, and lacks another one
            meant = module.removesuffix(".py")
            hint = _looked() if meant == module else f"Name it without .py: {meant}:{name}."
            raise ConfigurationError(f"Task {path} can't be imported: {error}. {hint}") from error
        raise
    if not hasattr(found, name):
        raise ConfigurationError(f"Task {path} can't be imported: {module} has no {name}{_nearly(found, name)}")
    return getattr(found, name)


def _nearly(module: ModuleType, name: str) -> str:
    """How the sentence ends that says that the name is not there: with the task that may be meant, or all there are."""
    known = vars(module).items()
    theirs = [each for each, kind in known if inspect.isclass(kind) and issubclass(kind, Task) and kind is not Task]
    if meant := get_close_matches(name, theirs, 1):
        return f"; did you mean {meant[0]}?"
    return f"; its tasks are {', '.join(theirs)}." if theirs else ", and no task."


def _looked() -> str:
    """Where a module was looked for, and how to have it looked for elsewhere."""
    more = "".join(f", in {folder}" for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder)
    return f"It was looked for in {os.getcwd()}{more}, and in what is installed; PYTHONPATH names other folders."
