"""Which tasks there are: mistakes are said at start, in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from streamapp.errors import ConfigurationError
from streamapp.tasks.contract import Document, Params, Predictor, Report, Step, Task
from streamapp.tasks.registry import Registry, item_type, load_registry, out_type
from streamapp.testing.fakes import Word, WordPredictor


class Words(Step[Document, Word, Report, Params]):
    """A step."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (WordPredictor,)

    def split(self, source: Document, params: Params) -> Sequence[Word]:
        """Into none."""
        return ()

    def reduce(self, results: object, params: Params) -> Report:
        """To one without a word in it."""
        return Report(subject="none", text="none")


class Good(Task):
    """A task."""

    name: ClassVar[str] = "good"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Params
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (Words(),)


class Broken(Good):
    """One that can't be made."""

    name: ClassVar[str] = "broken"

    def __init__(self) -> None:
        raise RuntimeError("no licence")


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A module that settings can name, and one that imports another that is not there."""
    (tmp_path / "lacking.py").write_text("import lacked")
    (tmp_path / "lacking_all.py").write_text("from streamapp.tasks import Task")
    monkeypatch.syspath_prepend(tmp_path)
    there = ModuleType("there")
    there.Good, there.Broken, there.number = Good, Broken, 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "there", there)


def variant(**fields: Any) -> Task:
    """The good task with something else."""
    kind: type[Task] = type("Variant", (Good,), fields)
    return kind()


def step(*predictors: Any) -> Step[Any, Any, Any, Any]:
    """A step with these predictors."""
    made = Words()
    made.predictors = predictors
    return made


def test_a_good_task() -> None:
    """I expect it by its name, and its predictor by its own."""
    registry = Registry([Good()])
    assert list(registry) == ["good"]
    assert registry.predictors == {"word": WordPredictor}
    assert item_type(registry["good"].steps[0]) is Word
    assert out_type(WordPredictor) is Word


Other: Any = type("Other", (WordPredictor,), {})  # another predictor of the same name
Bad: Any = type("Bad", (WordPredictor,), {"name": "Bad name"})
Unversioned: Any = type("Unversioned", (WordPredictor,), {"version": None})


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ([variant(name="Not Good")], "must match"),
        ([variant(steps=())], "has no steps"),
        ([Good(), variant()], "Two tasks are named 'good'"),
        ([variant(steps=(step(WordPredictor, WordPredictor),))], "names a predictor twice"),
        ([variant(steps=(step(WordPredictor), step(Other)))], "Two predictors are named 'word'"),
        ([variant(steps=(step(Bad),))], "must match"),
        ([variant(steps=(step(Unversioned),))], "lacks version: a string"),
        ([variant(version=2)], "its version must be a string"),
    ],
)
def test_mistakes(tasks: list[Task], reason: str) -> None:
    """I expect each to be refused, and to be named."""
    with pytest.raises(ConfigurationError, match=reason):
        Registry(tasks)


def test_only_some_are_offered() -> None:
    """I expect those that are asked for and no others, wherever they come from."""
    assert set(load_registry(["there:Good"], ["echo"])) == {"echo"}
    assert set(load_registry(["there:Good"], ["good"])) == {"good"}
    assert set(load_registry(["there:Good"], ["echo", "good"])) == {"echo", "good"}
    with pytest.raises(
        ConfigurationError, match=r"names gone, and no such task is here; there are echo, .*summarize\.$"
    ):
        load_registry([], ["echo", "gone"])
    with pytest.raises(ConfigurationError, match=r"names lost, .*; there are echo, good, .*summarize\.$"):
        load_registry(["there:Good"], ["lost"])


def test_a_default_that_is_not_there_is_refused() -> None:
    """I expect the setting, and which tasks there are."""
    assert set(load_registry([], ["echo"], "echo")) == {"echo"}
    with pytest.raises(ConfigurationError, match=r"STREAMAPP_DEFAULT_TASK is gone, .* there are echo"):
        load_registry([], ["echo"], "gone")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere:Task", "can't be imported: No module named 'nowhere'. It was looked for in /"),
        ("nowhere.tasks:Task", "No module named 'nowhere'. It was looked for in /"),
        ("there.tasks:Task", "can't be imported: No module named 'there.tasks'"),
        ("lacking:Task", "can't be imported: ModuleNotFoundError: No module named 'lacked'$"),
        ("there:Missing", r"can't be imported: there has no Missing; its tasks are Good, Broken\.$"),
        ("there:Brokn", r"there has no Brokn; did you mean Broken\?$"),
        ("lacking_all:Missing", r"lacking_all has no Missing, and no task\.$"),
        ("lacking_all.py:Missing", r"Name it without \.py: lacking_all:Missing\.$"),
        ("there", "must be named as module:Class"),
        ("there:number", "no subclass"),
        ("there:Broken", "no licence"),
    ],
)
def test_paths_that_name_no_task(path: str, reason: str) -> None:
    """I expect one sentence that names the path."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_registry([path], ["echo"])
    assert path in str(caught.value)
