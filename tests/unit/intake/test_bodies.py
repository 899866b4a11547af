"""The schemas of a job's body say what the intake takes."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from streamapp.intake.bodies import JOB_BODY, JOB_FORM, JOB_QUERY, TASK_NAME, body_schemas
from streamapp.intake.fields import JSON_FIELDS
from streamapp.intake.operation import shared
from streamapp.tasks.registry import load_registry

SCHEMAS = body_schemas(load_registry([], []))


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"task": "echo", "text": "Hello."}, True),
        ({"task": "echo", "text": "Hello.", "media_type": None, "document": None}, True),
        ({"task": "summarize", "text": "Hello.", "params": {"sentences_per_chapter": 2}}, True),
        ({"task": "summarize", "document": "SGVsbG8u", "media_type": "text/plain", "priority": 1}, True),
        ({"task": "echo", "text": " "}, False),
        ({"task": "none", "text": "Hello."}, False),
        ({"task": "echo", "text": "Hello.", "document": "SGVsbG8u", "media_type": "text/plain"}, False),
        ({"task": "echo", "document": "SGVsbG8u"}, False),
        ({"task": "echo", "document": "SGVsbG8u", "media_type": "image/png"}, False),
        ({"task": "echo", "text": "Hello.", "params": {"sentences_per_chapter": 2}}, False),  # another task's
        ({"task": "echo", "text": "Hello.", "priority": 9}, False),
        ({"task": "echo", "text": "Hello.", "prioritty": 1}, False),
    ],
)
def test_what_fits(body: dict[str, Any], fits: bool) -> None:
    """A body with one document, of a type that its task takes, and with that task's parameters."""
    assert jsonschema_rs.is_valid(SCHEMAS[JOB_BODY], body) is fits


def test_text_that_is_json_says_so() -> None:
    """In a query and in a form, where all fields are text: their description says what is written there, and how."""
    for told in (JOB_QUERY, SCHEMAS[JOB_FORM]["properties"]):
        said = {name: told[name]["description"] for name in JSON_FIELDS}
        assert 'a JSON object as text, such as `{"' in said["params"]
        assert said["priority"].endswith("whole number as text.")
        assert said["fresh"].endswith("`true` or `false` as text.")


def test_a_form_names_the_tasks() -> None:
    """And nothing but its own fields."""
    assert SCHEMAS[JOB_FORM]["properties"]["task"] == shared(TASK_NAME)
    assert SCHEMAS[TASK_NAME]["enum"] == ["echo", "summarize"]
    assert SCHEMAS[JOB_FORM]["additionalProperties"] is False
