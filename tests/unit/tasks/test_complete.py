"""What a task, a step or a predictor lacks is said when it is loaded, and not by the model worker that ends of it."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from streamapp.errors import ConfigurationError
from streamapp.tasks.complete import checked_budget
from streamapp.tasks.contract import Document, Params, Predictor, Report, Step, Task
from streamapp.tasks.registry import Registry, load_registry
from streamapp.testing.fakes import Word, WordPredictor


class Bare(Predictor[Word, str, Word]):
    """Has nothing but its types."""


class BareStep(Step[Document, Word, Report, Params]):
    """The same."""


def made(name: str, base: type, body: dict[str, Any], without: str) -> Any:
    """A class with all of that but one."""
    return type(name, (base,), {part: value for part, value in body.items() if part != without})


def predictor(without: str = "", **more: Any) -> Any:
    """One with all that is needed but that, and with something else."""
    parts = ("name", "version", "budget", "prepare", "cost", "predict")
    return made("Shouter", Bare, {**{part: vars(WordPredictor)[part] for part in parts}, **more}, without)


def step(without: str = "", **more: Any) -> Any:
    """The same of a step."""
    body = {"predictors": (WordPredictor,), "split": lambda *_: (), "reduce": lambda *_: None}
    return made("Words", BareStep, {**body, **more}, without)()


def task(without: str = "", **more: Any) -> Any:
    """The same of a task."""
    body = {"name": "shout", "accepts": ("text/plain",), "params": Params, "steps": (step(),)}
    return made("Shout", Task, {**body, **more}, without)()


def of(kind: Any) -> Any:
    """A task whose step needs this predictor."""
    return task(steps=(step(predictors=(kind,)),))


@pytest.mark.parametrize("lacks", ["name", "version", "budget", "prepare", "cost", "predict"])
def test_a_predictor(lacks: str) -> None:
    """I expect the predictor, what it lacks, and what that is, whether it is a value or a method."""
    with pytest.raises(ConfigurationError, match=rf"^Predictor Shouter lacks {lacks}: .{{20,}}\.$"):
        Registry([of(predictor(lacks))])


@pytest.mark.parametrize("lacks", ["predictors", "split", "reduce"])
def test_a_step(lacks: str) -> None:
    """The same."""
    with pytest.raises(ConfigurationError, match=rf"^Step Words lacks {lacks}: .{{20,}}\.$"):
        Registry([task(steps=(step(lacks),))])


@pytest.mark.parametrize("lacks", ["name", "accepts", "params", "steps"])
def test_a_task(lacks: str) -> None:
    """The same."""
    with pytest.raises(ConfigurationError, match=rf"^Task Shout lacks {lacks}: .{{20,}}\.$"):
        Registry([task(lacks)])


class Inherits(WordPredictor):
    """One that has all from the one before it."""

    name: ClassVar[str] = "inherits"


def test_nothing_is_lacking() -> None:
    """I expect what is inherited to count, and every task that comes along to be complete."""
    assert list(Registry([task(steps=(step(predictors=(predictor(), Inherits)),))]).predictors) == ["word", "inherits"]
    assert {"echo", "summarize"} <= set(load_registry())


class Instance(BaseModel):
    """Parameters."""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (task(accepts="text/plain"), "Task Shout: `accepts` must be"),
        (task(params=Instance()), "Task Shout: `params` must be the class"),
        (task(params="n"), "Task Shout: `params` must be the class"),
        (task(steps=(type(step()),)), "Task Shout: `steps` must hold steps, such as (CountStep(),)"),
        (task(steps=step()), "Task Shout: `steps` must hold steps"),
        (task(steps=(step(predictors=(WordPredictor(),)),)), "Step Words: `predictors` must be the classes"),
        (task(steps=(step(predictors=WordPredictor),)), "Step Words: `predictors` must be the classes"),
        (task(steps=(step(predictors=(Word,)),)), "Step Words: `predictors` must be the classes"),
        (of(predictor(version=1)), "Predictor Shouter: its version must be a string"),
        (of(predictor(budget="10")), "Predictor Shouter: its budget must be a whole number above 0, and is '10'."),
        (of(predictor(budget=0)), "above 0, and is 0."),
        (of(predictor(budget=True)), "above 0, and is True."),
        (of(predictor(timeout_s=None)), "Predictor Shouter: its timeout_s must be seconds above 0, and is None."),
        (of(predictor(name=7)), "Predictor Shouter: its name"),
        (task(name=7), "Task Shout: its name"),
    ],
)
def test_of_another_kind(wrong: Task, said: str) -> None:
    """I expect what is of another kind to be said with what would be right."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Registry([wrong])


@pytest.mark.parametrize("most", [0, -1, 1.5, "64", True])
def test_items_that_travel_together(most: Any) -> None:
    """I expect a number of them that is none to be refused."""
    with pytest.raises(ConfigurationError, match="Predictor Shouter: its chunk_items must be a whole number above 0"):
        Registry([of(predictor(chunk_items=most))])


def test_a_budget_for_the_device() -> None:
    """I expect the one that a predictor gives once it is loaded, and a sentence for what is none."""
    assert checked_budget(WordPredictor(), WordPredictor().budget_loaded()) == WordPredictor.budget
    for given in (0, -3, 1.5, True, None):
        with pytest.raises(ConfigurationError, match="Predictor WordPredictor: what budget_loaded gives must be a "):
            checked_budget(WordPredictor(), given)
