"""Tasks for the tests of what runs them; imported in the workshop's processes too."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from streamapp.errors import BadDocument, StoreUnavailable
from streamapp.jobs.taskwork import Assignment
from streamapp.tasks.contract import Document, ItemError, Params, Predictor, Report, Result, Step, Task


class Letters(BaseModel):
    """An item: some characters."""

    text: str


class Number(BaseModel):
    """An outcome and a value."""

    value: int


class Length(Predictor[Letters, str, Number]):
    """How long it is."""

    name: ClassVar[str] = "length"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 100

    def prepare(self, item: Letters, document: Document) -> str:
        """The text."""
        return item.text

    def cost(self, ready: str) -> int:
        """Characters."""
        return len(ready)

    def predict(self, batch: Sequence[str]) -> Sequence[Number | ItemError]:
        """The lengths."""
        return [Number(value=len(text)) for text in batch]


class Vowels(Length):
    """How many vowels it has."""

    name: ClassVar[str] = "vowels"


class Cut(Params):
    """How to cut, and how to fail."""

    size: int = 3
    fail: str = ""


class First(Step[Document, Letters, Number, Cut]):
    """Cuts the document; its value is the sum of all outcomes, without those that are errors."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (Length, Vowels)

    def split(self, source: Document, params: Cut) -> Iterable[Letters]:
        """Pieces of `size` characters, or a failure."""
        _fail(params.fail, "split")
        with source.open() as file:
            text = file.read().decode()
        return [Letters(text=text[start : start + params.size]) for start in range(0, len(text), params.size)]

    def reduce(self, results: Iterable[Result[Letters]], params: Cut) -> Number:
        """The sum."""
        _fail(params.fail, "reduce")
        total = 0
        for result in results:
            total += result.of(Length).value if params.fail == "strict" else _value(result.outcomes["length"])
            total += _value(result.outcomes["vowels"])
        return Number(value=total)

    def partial(self, results: Iterable[Result[Letters]], params: Cut) -> Report | None:
        """How many there are, or a failure."""
        _fail(params.fail, "partial")
        return None if params.fail.startswith("nothing") else Report(subject="So far", text=str(len(list(results))))


class Second(Step[Number, Letters, Report, Cut]):
    """As many items as the number says; none for 0."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (Length,)

    def split(self, source: Number, params: Cut) -> Iterable[Letters]:
        """The items."""
        return [Letters(text="x" * 40) for _ in range(source.value)]

    def reduce(self, results: Iterable[Result[Letters]], params: Cut) -> Report:
        """A report on how many there were."""
        count = len(list(results))
        text, data = f"{count} of them", {"count": count}
        if params.fail == "nul":
            text = "a\0b"
        if params.fail == "surrogate":
            text = "a\ud800b"
        if params.fail == "nan":
            data = {"count": float("nan")}  # type: ignore[dict-item]
        return Report.model_construct(subject="Counted", text=text, data=data, html=None, plot=None, attachments=[])


class Alone(Step[Document, Letters, Report, Cut]):
    """A step without a model."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = ()

    def split(self, source: Document, params: Cut) -> Iterable[Letters]:
        """One item."""
        return [Letters(text="a"), Letters(text="b")]

    def reduce(self, results: Iterable[Result[Letters]], params: Cut) -> Report:
        """What there was."""
        return Report(subject="Alone", text="".join(result.item.text for result in results))


class Silent(First, Step[Document, Letters, Any, Cut]):
    """The first step, without a word about its value."""


class TwoSteps(Task):
    """Two steps, two predictors."""

    name: ClassVar[str] = "two-steps"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Cut
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (First(), Second())


class NoModel(Task):
    """No predictor at all."""

    name: ClassVar[str] = "no-model"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Cut
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (Alone(),)


class NoReport(Task):
    """A last value that is no Report."""

    name: ClassVar[str] = "no-report"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = Cut
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (Silent(),)


def _value(outcome: BaseModel | ItemError) -> int:
    return outcome.value if isinstance(outcome, Number) else 0


def _fail(how: str, where: str) -> None:
    match how.partition(" ")[::2]:
        case ("bug", there) if there == where:
            raise ZeroDivisionError("oh")
        case ("document", there) if there == where:
            raise BadDocument("no text")
        case ("away", there) if there == where:
            raise StoreUnavailable("the bucket is away")
        case ("item", there) if there == where:
            raise ItemError("a bad one")


# what a process can do to a workshop


def imported(*names: str) -> list[str]:
    """Which of these modules this process has."""
    return [name for name in names if name in sys.modules]


def pid() -> int:
    """This process."""
    return os.getpid()


def crash() -> None:
    """As a segfault does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_once(marker: str) -> int:
    """Crash, but not the second time."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        crash()
    return os.getpid()


def sleep(seconds: float) -> int:
    """Take that long."""
    time.sleep(seconds)
    return os.getpid()


def bad_document() -> None:
    """Raise one of the named failures."""
    raise BadDocument("no text")


def errand(assignment: Assignment) -> str:
    """Do what the task is named after, as the parameters say; the document."""
    match assignment.task:
        case "crash":
            crash()
        case "bad":
            bad_document()
        case "sleep":
            sleep(float(assignment.params))
    return assignment.document
