"""The fields of a form or a query, all of which come as text."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import MultiDict

from streamapp.intake.fields import from_query, known_text, refuse_query
from streamapp.intake.refusal import Refused


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("priority", "abc", "priority: it must be a whole number from -3 to 3."),
        ("priority", "+1", "priority: it must be a whole number from -3 to 3."),
        ("fresh", "yes", "fresh: it must be true or false."),
        ("params", "chunk=5", "params: it must be a JSON object with the task's parameters. This is not JSON: "),
        ("params", "[" * 70 + "]" * 70, "params: it must be a JSON object with the task's parameters. This is nested "),
        ("params", '{"a": 1, "a": 2}', "The key 'a' is in an object twice"),
    ],
)
def test_what_is_no_json(name: str, text: str, says: str) -> None:
    """422 that names the field and what it must be."""
    with pytest.raises(Refused) as refused:
        known_text(name, text.encode())
    assert refused.value.problem.status == 422
    assert refused.value.problem.detail.startswith(says)
    assert [error.field for error in refused.value.problem.errors] == [name]


def test_what_is_right() -> None:
    """JSON where it is meant, and text where it is not; what is empty was left out."""
    fields: dict[str, Any] = {"priority": "-3", "fresh": "true", "params": '{"chunk": 5}', "name": "5", "email": ""}
    found = {"priority": -3, "fresh": True, "params": {"chunk": 5}, "name": "5"}
    assert from_query(MultiDict(fields)) == found


def test_fields_where_nobody_reads_them() -> None:
    """They are told where they belong."""
    with pytest.raises(Refused, match=r"^priority: nothing is read from the query here; put fields into the body\."):
        refuse_query(MultiDict({"priority": "1"}))
