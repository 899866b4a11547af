"""What a task, a step or a predictor lacks is said when it is loaded, and not by the model worker that ends of it."""

from __future__ import annotations

import re
import types
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


@pytest.mark.parametrize(
    "cost",
    [
        len,
        max,
        lambda self, ready, scale=1: 1,
        lambda *_: 1,
        staticmethod(lambda ready: 1),
        classmethod(lambda cls, ready: 1),
    ],
)
def test_what_can_be_called(cost: Any) -> None:
    """I expect whatever takes what it is given to be taken, also what comes from elsewhere."""
    Registry([of(predictor(cost=cost))])


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
        (of(predictor(load=lambda self: None)), "Shouter: its load is called as load(device), and takes (self)."),
        (of(predictor(cost=lambda self: 1)), "Shouter: its cost is called as cost(ready), and takes (self)."),
        (of(predictor(predict=staticmethod(lambda: []))), "is called as predict(batch), and takes ()."),
        (of(predictor(prepare=3)), "Predictor Shouter: its prepare must be a method, and is 3."),
        (
            task(steps=(step(split=lambda self, source: ()),)),
            "Step Words: its split is called as split(source, params)",
        ),
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


class Found(BaseModel):
    """A value between two steps."""


class Better(Found):
    """A kind of that."""


class Opened(BaseModel):
    """What can be read as a document is."""

    def open(self) -> None:
        """Not looked at."""


def typed(source: Any, value: Any, item: Any = Word) -> Any:
    """A step with these types."""
    kind: Any = types.new_class("Typed", (Step[source, item, value, Params],))
    kind.predictors, kind.split, kind.reduce = (WordPredictor,), lambda *_: (), lambda *_: None
    return kind()


def model(item: Any, out: Any) -> Any:
    """A predictor with these."""
    kind: Any = types.new_class("Typed", (Predictor[item, str, out],))
    for part in ("name", "version", "budget", "prepare", "cost", "predict"):
        setattr(kind, part, vars(WordPredictor)[part])
    return kind


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            task(steps=(typed(Document, Found), typed(Word, Report))),
            "Typed gives Found, its Value, and the next one, T",
        ),
        (task(steps=(typed(Document, Found), typed(Document, Report))), "Typed, takes Document, its Source."),
        (task(steps=(typed(Document, int), typed(Found, Report))), "gives int, its Value"),
        (task(steps=(typed(Document, Found),)), "Typed, must give a Report, and its Value is Found."),
        (of(model(Found, Word)), "Step Words has Word as its Item, and its predictor Typed takes Found."),
        (of(model(Word, Any)), "Predictor Typed: its Out must be a pydantic model, and is Any."),
        (of(model(Word, float)), "its Out must be a pydantic model, and is float."),
        (of(model(Word, list[Word])), "its Out must be a pydantic model, and is list["),
        (task(steps=(typed(Document, Report, Any),)), "Step Typed: its Item must be a pydantic model, and is Any."),
        (task(steps=(typed(Document, Report, str),)), "Step Typed: its Item must be a pydantic model, and is str."),
    ],
)
def test_types_that_do_not_fit(wrong: Task, said: str) -> None:
    """I expect both sides to be named, when the task is loaded."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Registry([wrong])


@pytest.mark.parametrize(
    "steps",
    [
        (typed(Document, Found), typed(Found, Report)),
        (typed(Document, Better), typed(Found, Report)),
        (typed(Document, Found), typed(Better, Report)),  # it may give that one
        (typed(Document, Any), typed(Found, Any)),
        (typed(Document, Found | None), typed(Any, Report)),
        (typed(Document, "Found"), typed(Word, type("Mine", (Report,), {}))),
        (typed(Document, Opened), typed(Document, Report)),
        (step(predictors=(model(Any, Word),)),),
        (step(predictors=(model(BaseModel, type("More", (Word,), {})),)),),
    ],
)
def test_types_that_may_fit(steps: Any) -> None:
    """I expect what is not surely wrong to be let in."""
    assert list(Registry([task(steps=steps)])) == ["shout"]


def test_how_many_types_there_are() -> None:
    """I expect whoever names none, too few or too many to be told all of them."""
    for wrong in ((Word, Word), (Word, str, Word, str)):
        with pytest.raises(TypeError, match=r"name them all: Predictor\[Item, Ready, Out\]\.$"):
            Predictor.__class_getitem__(wrong)
    with pytest.raises(TypeError, match=r"name them all: Step\[Source, Item, Value, Params\]\.$"):
        Step.__class_getitem__((Document, Word))
    untyped = made("Untyped", Predictor, dict(vars(WordPredictor)), "__orig_bases__")
    with pytest.raises(
        ConfigurationError, match=r"^Untyped must .*: class Untyped\(Predictor\[Item, Ready, Out\]\)\.$"
    ):
        Registry([of(untyped)])
