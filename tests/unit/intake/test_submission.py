"""The fields of a submission, one by one: what is taken, what is refused, and what a refusal says."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamapp.intake.refusal import Refused
from streamapp.intake.submission import Submission, parse_submission


def at(**ahead: float) -> str:
    """A time from now, as RFC 3339."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "a"),
        ("text", " a "),
        ("text", "\ufeffa"),
        ("text", "🦉 é \u2028"),
        ("document", "YQ=="),
        ("media_type", "text/plain; charset=utf-8"),
        ("name", "n" * 200),
        ("params", {}),
        ("params", {"a": [1, None, {"b": 2.5}]}),
        ("email", "a@example.com"),
        ("email", "reader@localhost"),
        ("email", "first.last+tag@mail.example.com"),
        ("email", "jürgen@example.com"),
        ("email", "a@bücher.example.com"),
        ("priority", -3),
        ("priority", 3),
        pytest.param("deadline", at(minutes=5), id="in five minutes"),
        pytest.param("deadline", at(days=29.9), id="in a month"),
        pytest.param("deadline", (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"), id="in UTC"),
    ],
)
def test_a_field_that_is_right(field: str, value: Any) -> None:
    """It is taken."""
    assert isinstance(parse_submission({"task": "echo", field: value}), Submission)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("task", None, "the name of a task; there are echo, summarize"),
        ("task", 3, "the name of a task; there are echo, summarize"),
        ("text", 42, "it must be text"),
        ("text", ["a"], "it must be text"),
        ("text", "", "send the text"),
        ("text", " \r\n\t\u00a0", "send the text"),
        ("text", "a\0", "NUL"),
        ("document", 3, "it must be text"),
        ("document", {"a": 1}, "it must be text"),
        ("media_type", "text/plain\r\nX: y", "one line"),
        ("name", "", "it must have at least 1 character"),
        ("name", "n" * 201, "it must have at most 200 characters"),
        ("name", "a\nb", "one line"),
        ("name", "a\x1b", "one line"),
        ("params", None, "a JSON object with the task's parameters"),
        ("params", [], "a JSON object with the task's parameters"),
        ("email", "", "one e-mail address"),
        ("email", "nobody", "one e-mail address"),
        ("email", "a@b, c@d", "one e-mail address"),
        ("email", "A <a@example.com>", "one e-mail address"),
        ("email", "a@example.com\n", "one e-mail address"),
        ("email", "a@example.com\r\nBcc: b@example.com", "one e-mail address"),
        ("email", "a" * 65 + "@example.com", "one e-mail address"),
        ("email", ["a@example.com"], "it must be text"),
        ("priority", 4, "from -3 to 3"),
        ("priority", -4, "from -3 to 3"),
        ("priority", 1.0, "a whole number from -3 to 3"),
        ("priority", "1", "a whole number from -3 to 3"),
        ("priority", True, "a whole number from -3 to 3"),
        pytest.param("deadline", at(seconds=-1), "in the future", id="in the past"),
        pytest.param("deadline", at(days=31), "30 days", id="too far ahead"),
        ("deadline", "2030-01-31 10:00", 'a time without its offset; write it like "2030-01-31T10:00:00Z"'),
        ("fresh", "yes", "true or false"),
        ("deadline", "2030-01-31", 'a date without a time; write it like "2030-01-31T12:00:00Z"'),
        ("deadline", 1893456000, "RFC 3339"),
        ("deadline", "tomorrow", "RFC 3339"),
        ("deadline", "", "RFC 3339"),
        ("deadline", "2030-13-01T00:00:00Z", "RFC 3339"),
        ("colour", "red", "there are deadline, document, email, fresh, media_type, name, params, priority, task, text"),
        ("Task", "echo", "no such field"),
        ("hook", "https://example.com", "no such field"),
    ],
)
def test_a_field_that_is_wrong(field: str, value: Any, says: str) -> None:
    """It alone is named, and the words say what is right."""
    with pytest.raises(Refused) as refused:
        parse_submission({"task": "echo", field: value}, ("summarize", "echo"))

    problem = refused.value.problem
    assert problem.status == 422
    assert [error.field for error in problem.errors] == [field]
    assert says in problem.errors[0].detail
    assert problem.detail == f"{field}: {problem.errors[0].detail}"


def test_no_task() -> None:
    """A job that names none hears which there are."""
    with pytest.raises(Refused) as refused:
        parse_submission({"text": "a"}, ("summarize", "echo"))
    assert refused.value.problem.detail == "task: it must be the name of a task; there are echo, summarize"


def test_every_wrong_field_is_named() -> None:
    """A client that got several wrong hears of all of them at once."""
    with pytest.raises(Refused) as refused:
        parse_submission({"text": 3, "priority": "high", "email": "nobody", "colour": "red"})
    assert {error.field for error in refused.value.problem.errors} == {"task", "text", "priority", "email", "colour"}


@pytest.mark.parametrize(
    ("fields", "content", "media_type"),
    [
        ({"text": "é"}, "é".encode(), "text/plain"),
        ({"text": "é", "media_type": "text/markdown; charset=utf-16"}, "é".encode(), "text/markdown"),
        ({"document": "AAE=", "media_type": "image/png"}, b"\x00\x01", "image/png"),
        ({"document": "", "media_type": "image/png"}, b"", "image/png"),
        ({"document": base64.b64encode(b"\xe9").decode(), "media_type": "text/plain; charset=latin-1"}, b"\xe9",
         "text/plain; charset=latin-1"),
    ],
)  # fmt: skip
def test_the_document(fields: dict[str, Any], content: bytes, media_type: str) -> None:
    """Text is UTF-8 whatever its type claims; base64 is what it encodes."""
    assert parse_submission({"task": "echo", **fields}).content() == (content, media_type)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"media_type": "text/plain"}, "text"),
        ({"text": "a", "document": "YQ==", "media_type": "text/plain"}, "document"),
        ({"document": "YQ", "media_type": "text/plain"}, "document"),
        ({"document": "Y Q = =", "media_type": "text/plain"}, "document"),
        ({"document": "_-8=", "media_type": "text/plain"}, "document"),
        ({"document": "é", "media_type": "text/plain"}, "document"),
    ],
)
def test_no_document(fields: dict[str, Any], field: str) -> None:
    """None, two, or none that can be read: the field is named."""
    with pytest.raises(Refused) as refused:
        parse_submission({"task": "echo", **fields}).content()
    assert [error.field for error in refused.value.problem.errors] == [field]
