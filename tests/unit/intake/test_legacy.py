"""The old client's objects: whatever they hold, there is a job in them, unless what they name is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.intake.checks import checked_content, checked_params
from streamapp.intake.jsontext import parse_any_object
from streamapp.intake.legacy import legacy_submission
from streamapp.intake.refusal import Refused
from streamapp.settings import Settings
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry

SOME = settings(max_examples=60, deadline=None)  # machines of all speeds
SETTINGS = Settings(default_task="echo", mail_to="reader@localhost")
REGISTRY = Registry([Echo()])
KNOWN = ("task", "text", "document", "media_type", "params", "email", "name", "priority", "deadline")

ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["", " ", "\0", "\ufeff", "\ud800", "YQ==", "echo"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from(KNOWN) | ANY_TEXT, VALUES, max_size=8)


@SOME
@given(st.dictionaries(ANY_TEXT.filter(lambda name: name not in KNOWN), VALUES, max_size=8))
def test_any_object_that_names_nothing_holds_a_job(fields: dict[str, Any]) -> None:
    """It passes every check that follows, and its document can be stored."""
    submission = legacy_submission(fields, SETTINGS, REGISTRY)
    content, media_type = checked_content(REGISTRY[submission.task], submission)
    assert content.decode("utf-8").strip()
    assert media_type == "text/plain"
    assert submission.email == SETTINGS.mail_to


@SOME
@given(OBJECTS)
def test_any_object_holds_a_job_or_is_refused(fields: dict[str, Any]) -> None:
    """What it names is checked, and nothing else is raised, now or when the job is stored; on its way as JSON too."""
    body = json.dumps(fields).replace("Infinity", "1e999").encode()
    for given_fields in (fields, parse_any_object(body)):
        with suppress(Refused):
            submission = legacy_submission(given_fields, SETTINGS, REGISTRY)
            task = REGISTRY[submission.task] if submission.task in REGISTRY else Echo()
            checked_content(task, submission)
            checked_params(task, submission.params)
            submission.model_dump_json().encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "A text.", "b": "Not this."}, {"text": "A text.", "email": "reader@localhost", "params": {}}),
        ({"a": "One.", "b": ["Two.", {"c": "Three."}]}, {"text": "One.\n\nTwo.\n\nThree."}),
        ({"a": 1}, {"text": '{"a": 1}'}),
        ({"email": "a@localhost", "text": "a"}, {"email": "a@localhost"}),
        ({"params": {"chunk": 5}, "text": "a"}, {"params": {"chunk": 5}}),
        ({"name": "A name", "text": "a"}, {"name": "A name"}),
        ({"document": "YQ==", "media_type": "text/plain"}, {"document": "YQ==", "text": None}),
        ({"task": None, "email": None, "params": None, "b": "a"}, {"task": "echo", "email": "reader@localhost"}),
        ({"text": "Half \ud83d."}, {"text": "Half \ufffd."}),
        ({"priority": 3, "deadline": "never", "text": "a"}, {"priority": 0, "deadline": None}),
    ],
)
def test_what_is_used(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """What it names is used, what it does not is left to the defaults."""
    submission = legacy_submission(fields, SETTINGS, REGISTRY)
    assert {name: getattr(submission, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "not-mail"),
        ("email", "a@localhost\r\nBcc: b"),
        ("email", ["a@localhost"]),
        ("email", ""),
        ("text", 7),
        ("text", ""),
        ("text", "\0"),
        ("task", {"name": "echo"}),
        ("params", "fast"),
        ("params.0", ["\ud800"]),
        ("params", {"a": float("inf")}),
        ("name", "a\r\nb"),
        ("document", 7),
        ("media_type", "text/plain\r\nX: y"),
    ],
)
def test_what_it_names_and_is_wrong_is_refused(field: str, value: Any) -> None:
    """As on /v1/jobs: nobody else gets its mail, and no other text is summarized."""
    name = field.partition(".")[0]
    with pytest.raises(Refused) as refused:
        legacy_submission({"text": "a", name: value}, SETTINGS, REGISTRY)
    assert [error.field for error in refused.value.problem.errors] == [field]
    assert refused.value.problem.status in (400, 422)
