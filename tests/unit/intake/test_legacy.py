"""The old client's objects: whatever they hold, there is a job in them that can be accepted."""

from __future__ import annotations

import json
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
@given(OBJECTS.filter(lambda fields: not isinstance(fields.get("email"), str)))
def test_any_object_holds_a_job(fields: dict[str, Any]) -> None:
    """It passes every check that follows, and its document can be stored."""
    submission = legacy_submission(fields, SETTINGS, REGISTRY)
    content, media_type = checked_content(REGISTRY[submission.task], submission)
    assert content.decode("utf-8").strip()
    assert media_type == "text/plain"
    checked_params(REGISTRY[submission.task], submission.params)
    assert submission.email


@SOME
@given(OBJECTS.filter(lambda fields: not isinstance(fields.get("email"), str)))
def test_any_object_comes_through_as_json(fields: dict[str, Any]) -> None:
    """The same on its way over the wire, infinite numbers and all."""
    body = json.dumps(fields).replace("Infinity", "1e999").encode()
    assert legacy_submission(parse_any_object(body), SETTINGS, REGISTRY).task == "echo"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "A text.", "b": "Not this."}, {"text": "A text.", "email": "reader@localhost", "params": {}}),
        ({"a": "One.", "b": ["Two.", {"c": "Three."}]}, {"text": "One.\n\nTwo.\n\nThree."}),
        ({"a": 1}, {"text": '{"a": 1}'}),
        ({"email": "a@localhost", "text": "a"}, {"email": "a@localhost"}),
        ({"email": 7, "text": "a"}, {"email": "reader@localhost"}),
        ({"params": {"chunk": 5}, "text": "a"}, {"params": {"chunk": 5}}),
        ({"params": {"chunk": "many"}, "text": "a"}, {"params": {}}),
        ({"name": "A name", "text": "a"}, {"name": "A name"}),
        ({"document": "YQ==", "media_type": "text/plain"}, {"document": "YQ==", "text": None}),
        ({"document": "YQ==", "media_type": "text/plain", "text": "b"}, {"document": "YQ==", "text": None}),
        ({"document": "/w==", "media_type": "text/plain", "text": "b"}, {"document": None, "text": "b"}),
        ({"priority": 3, "deadline": "never", "text": "a"}, {"priority": 0, "deadline": None}),
    ],
)
def test_what_is_used(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """What is right is used, what is not is left to the defaults."""
    submission = legacy_submission(fields, SETTINGS, REGISTRY)
    assert {name: getattr(submission, name) for name in expected} == expected


@pytest.mark.parametrize("email", ["nobody", "a@localhost, b@localhost", "a@localhost\r\nBcc: b", "\ud800", "\0"])
def test_an_address_that_is_none(email: str) -> None:
    """Its mail would go to the settings' address, which is somebody else's."""
    with pytest.raises(Refused, match="email"):
        legacy_submission({"text": "a", "email": email}, SETTINGS, REGISTRY)
