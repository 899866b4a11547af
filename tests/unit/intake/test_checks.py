"""What a submission must be for its task."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from streamapp.delivery.target import Rules
from streamapp.intake.checks import checked_content, checked_params, checked_task, checked_webhook
from streamapp.intake.refusal import Refused, unicode_only
from streamapp.intake.submission import parse_submission
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry

ECHO = Echo()
HTTPS = "it must begin with https://."


def refusal(check: Any, *args: Any) -> tuple[int, str, str]:
    """Status, field and words of the refusal."""
    with pytest.raises(Refused) as refused:
        check(*args)
    problem = refused.value.problem
    return problem.status, problem.errors[0].field, problem.errors[0].detail


def test_an_unknown_task_is_told_the_known_ones() -> None:
    """422 with their names."""
    status, field, detail = refusal(checked_task, Registry([ECHO]), "no-such")
    assert (status, field) == (422, "task")
    assert "'no-such'" in detail
    assert "echo" in detail


@pytest.mark.parametrize(
    ("params", "field", "says"),
    [
        ({"chunk": 0}, "params.chunk", "greater than or equal to 1"),
        ({"chunk": "many"}, "params.chunk", "whole number"),
        ({"size": 1}, "params.size", "there are chunk"),
    ],
)
def test_params_the_task_has_not(params: dict[str, Any], field: str, says: str) -> None:
    """422 with the path below params, and what there is."""
    status, found, detail = refusal(checked_params, ECHO, params)
    assert (status, found) == (422, field)
    assert says in detail


class Loose(BaseModel):
    """Parameters that do not say what becomes of other names."""

    longer: int = 0


class Open(Loose):
    """Parameters that take others."""

    model_config = ConfigDict(extra="ignore")


class Renamed(BaseModel):
    """Parameters under another name outside."""

    longer: int = Field(0, alias="longer-than")


@pytest.mark.parametrize(
    ("model", "params", "kept"),
    [
        (Loose, {"longer": 3}, '{"longer":3}'),
        (Open, {"long": 3}, '{"longer":0}'),
        (Renamed, {"longer-than": 3}, '{"longer":3}'),
    ],
)
def test_params_by_any_model(model: type[BaseModel], params: dict[str, Any], kept: str) -> None:
    """I expect what a model knows, or says that it overlooks, to be taken."""
    task = Echo()
    task.params = model  # type: ignore[misc]
    assert checked_params(task, params) == kept


def test_a_misspelled_parameter_is_not_overlooked() -> None:
    """I expect pydantic's plain models to overlook nothing either, unless they say so."""
    task = Echo()
    task.params = Loose  # type: ignore[misc]
    status, field, detail = refusal(checked_params, task, {"long": 3})
    assert (status, field) == (422, "params.long")
    assert "there are longer" in detail


def test_a_webhook_is_named_once() -> None:
    """I expect the field in the problem's own words, and not again in those that stand beside its name."""
    with pytest.raises(Refused) as refused:
        checked_webhook("ftp://example.org", Rules())
    problem = refused.value.problem
    assert (problem.detail, problem.errors[0].detail) == (f"webhook: {HTTPS}", HTTPS)


def test_defaults_are_filled_in() -> None:
    """So that a job goes on as it was accepted when a default changes."""
    assert checked_params(ECHO, {}) == '{"chunk":1000}'


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"text": "a", "media_type": "application/pdf"}, 415, "media_type"),
        ({"text": "a", "media_type": "text/html"}, 415, "media_type"),
        ({"text": "\ufeff"}, 422, "text"),
        ({"document": "YQ=="}, 422, "media_type"),
        ({"document": "", "media_type": "text/plain"}, 422, "document"),
        ({"document": "IA==", "media_type": "text/plain"}, 422, "document"),
        ({"document": "AA==", "media_type": "text/plain"}, 422, "document"),
        ({"document": "/w==", "media_type": "text/plain"}, 422, "document"),
        ({"document": "YQ==", "media_type": "text/plain; charset=no-such"}, 422, "document"),
    ],
)
def test_a_document_the_task_does_not_take(fields: dict[str, Any], status: int, field: str) -> None:
    """The field that holds it is named."""
    assert refusal(checked_content, ECHO, parse_submission({"task": "echo", **fields}))[:2] == (status, field)


def test_an_empty_picture_is_refused() -> None:
    """Also where no charset is looked at."""

    class Look(Echo):
        accepts = ("image/png",)

    submission = parse_submission({"task": "echo", "document": "", "media_type": "image/png"})
    assert refusal(checked_content, Look(), submission)[:2] == (422, "document")


@pytest.mark.parametrize("media_type", ["text/plain", "TEXT/Plain", "text/plain;charset=utf-8", " text/plain ; x=y"])
def test_a_media_type_is_read_as_rfc_9110_says(media_type: str) -> None:
    """Case and parameters do not matter."""
    submission = parse_submission({"task": "echo", "document": "YQ==", "media_type": media_type})
    assert checked_content(ECHO, submission) == (b"a", "text/plain")


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "a"), ("\udcff.txt", "\ufffd.txt"), ("\ud83e\udd89", "🦉"), ("🦉\ud83e", "🦉\ufffd")]
)
def test_refusals_are_unicode(text: str, shown: str) -> None:
    """Half a surrogate pair can't be sent, so it is shown as what is not there."""
    assert unicode_only(text) == shown
    assert refusal(_refuse, text) == (422, shown, shown)


def _refuse(text: str) -> None:
    raise Refused(422, text, field=text)
