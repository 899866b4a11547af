"""What pydantic says of a task's parameters, as fields; and what is written into those, as parameters again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from streamapp.intake.refusal import Refused
from streamapp.resources import TaskResource
from streamapp.tasks.summarize import SummarizeParams
from streamapp.ui.chosen import as_fields, is_option
from streamapp.ui.options import Option, options


class Mood(Enum):
    """A choice as its author may write it."""

    HIGH = "high"
    LOW = "low"


class Kinds(BaseModel):
    """A parameter of each kind."""

    whole: int = Field(3, gt=0, lt=11, description="How many.")
    maybe: int | None = Field(None, ge=1, description="Perhaps.")
    share: float = Field(0.5, gt=0, le=1, multiple_of=0.25)
    free: float = 1.5
    even: int = Field(2, ge=1, multiple_of=2)
    deep: bool = True
    mood: Mood = Field(Mood.LOW, description="Which.")
    one: Literal[1, "two"] = 1
    name: str = Field("", max_length=20, title="What to call it")
    must: str
    words: list[str] = []
    either: int | list[int] = 4


def task(model: type[BaseModel] = Kinds) -> TaskResource:
    """A task with these parameters."""
    return TaskResource(name="t", summary="T.", accepts=["text/plain"], params=model.model_json_schema())


def option(name: str) -> Option:
    """That parameter's field."""
    return next(each for each in options(task()) if each.name == name)


@pytest.mark.parametrize(
    ("name", "kind", "value", "bounds", "attributes"),
    [
        ("whole", "integer", "3", "1 to 10.", {"min": "1", "max": "10", "step": "1"}),
        ("maybe", "integer", "", "At least 1.", {"min": "1", "step": "1"}),
        ("share", "number", "0.5", "Above 0 and at most 1.", {"max": "1", "step": "0.25"}),
        ("free", "number", "1.5", "", {"step": "any"}),
        ("even", "integer", "2", "At least 1.", {"min": "1", "step": "1"}),
        ("deep", "boolean", "true", "", {}),
        ("mood", "choice", '"low"', "", {}),
        ("one", "choice", "1", "", {}),
        ("name", "text", "", "At most 20 characters.", {"maxlength": "20"}),
        ("must", "text", "", "", {}),
        ("words", "json", "", "", {}),
        ("either", "json", "4", "", {}),
    ],
)
def test_kinds(name: str, kind: str, value: str, bounds: str, attributes: dict[str, str]) -> None:
    """Each has its kind, its default, and its bounds in words and for the browser."""
    found = option(name)
    assert (found.kind, found.value, found.bounds, found.attributes) == (kind, value, bounds, attributes)
    assert found.field == f"option.t.{name}"
    assert found.required is (name == "must")


def test_words() -> None:
    """A title that somebody wrote stays; one that was made of the name is written as people would."""
    assert [each.label for each in options(task(SummarizeParams))] == ["Sentences per chapter", "Title"]
    assert (option("name").label, option("mood").words) == ("What to call it", "Which.")
    assert option("mood").choices == {'"high"': "high", '"low"': "low"}
    assert option("one").choices == {"1": "1", '"two"': "two"}


def test_no_parameters() -> None:
    """A task without any has no fields."""
    assert options(TaskResource(name="t", summary="T.", accepts=[], params={})) == []


def params(**written: str) -> Any:
    """What the task is sent where these were written, and all else left empty."""
    form = {"option.t": "shown", **{f"option.t.{name}": value for name, value in written.items()}}
    return as_fields({"task": "t", **form}, task())["params"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({}, {}),
        ({"whole": "7", "share": "0.25", "free": "1e3"}, {"whole": 7, "share": 0.25, "free": 1000.0}),
        ({"whole": " 7 "}, {"whole": 7}),
        ({"whole": "seven", "free": "NaN"}, {"whole": "seven", "free": "NaN"}),  # for the task's check to refuse
        ({"whole": "true"}, {"whole": "true"}),
        ({"whole": "7.5"}, {"whole": 7.5}),
        ({"mood": '"high"', "one": "1"}, {"mood": "high", "one": 1}),
        ({"mood": '"wild"', "one": "2"}, {"mood": '"wild"', "one": "2"}),
        ({"name": "7", "must": " null "}, {"name": "7", "must": " null "}),
        ({"words": '["a"]', "either": "5"}, {"words": ["a"], "either": 5}),
    ],
)
def test_what_is_written_is_sent(written: dict[str, str], sent: dict[str, Any]) -> None:
    """As the values that it stands for; what is left empty is not sent, so that it has its default."""
    assert params(**written) == {"deep": False, **sent}


def test_a_box_is_off_only_where_it_was_shown() -> None:
    """Browsers send nothing of an empty box, and programs nothing of options that they do not know."""
    assert params(deep="true") == {"deep": True}
    assert as_fields({"task": "t", "text": "x"}, task()) == {"task": "t", "text": "x"}
    other = {"task": "t", "option.u": "shown", "option.u.whole": "9"}
    assert as_fields(other, task()) == {"task": "t"}
    assert as_fields(other, None) == {"task": "t"}


def test_params_that_are_sent_as_such_stay() -> None:
    """A form that a program writes may have them as the API takes them."""
    assert as_fields({"task": "t", "params": {"whole": 2}}, task()) == {"task": "t", "params": {"whole": 2}}


@pytest.mark.parametrize("written", ["[1", "{]", "[" * 100 + "]" * 100])
def test_what_is_no_json(written: str) -> None:
    """It is refused with the parameter's name."""
    with pytest.raises(Refused) as refused:
        params(words=written)
    assert [each.field for each in refused.value.problem.errors] == ["params.words"]


def test_a_deadline_in_hours() -> None:
    """It is a time from now, with its offset; what is none of those offered is refused."""
    before = datetime.now(UTC)
    deadline = datetime.fromisoformat(as_fields({"within": "24"}, None)["deadline"])
    assert before + timedelta(hours=24) <= deadline <= datetime.now(UTC) + timedelta(hours=24)
    for wrong in ("0", "-1", "x", ["1"], {"a": 1}):
        with pytest.raises(Refused, match="one of the times"):
            as_fields({"within": wrong}, None)


def test_only_these_are_taken() -> None:
    """No field of a job's own is mistaken for one of them, nor the other way round."""
    assert [
        name for name in ("task", "params", "option.t", "option.t.a", "within", "options", "x") if is_option(name)
    ] == [
        "option.t",
        "option.t.a",
        "within",
    ]
