"""The filter of the list of jobs, as requests spell it."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.intake.listing import parse_filter
from streamapp.intake.refusal import Refused
from streamapp.store.listing import Wanted


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Wanted()),
        ({"limit": "5", "cursor": "x"}, Wanted()),
        ({"status": "failed"}, Wanted(statuses=("failed",))),
        ({"status": ["failed, expired", "queued"]}, Wanted(statuses=("failed", "expired", "queued"))),
        ({"task": "echo", "error": "a b"}, Wanted(task="echo", error="a b")),
        ({"email": "Anna@EXAMPLE.org"}, Wanted(email="Anna@example.org")),
        ({"delivery": "dead"}, Wanted(delivery="dead")),
        ({"created_after": "1970-01-01T00:00:10Z"}, Wanted(created_from=10.0)),
        ({"created_before": "1970-01-01T01:00:10+01:00"}, Wanted(created_before=10.0)),
    ],
)
def test_what_is_meant(fields: dict[str, Any], expected: Wanted) -> None:
    """Each field by itself."""
    assert parse_filter(fields).wanted() == expected


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"])
def test_the_ends_of_time(moment: str) -> None:
    """Times that no clock shows are times all the same."""
    assert parse_filter({"created_after": moment}).wanted().created_from is not None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"state": "failed"}, "state"),
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"status": ["failed,done"]}, "status"),
        ({"status": 5}, "status"),
        ({"status": [5]}, "status"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_after": "2030-01-01T00:00:00"}, "created_after"),
        ({"created_before": 5}, "created_before"),
        ({"email": "nobody"}, "email"),
        ({"error": ""}, "error"),
        ({"error": "a\0b"}, "error"),
        ({"error": "x" * 501}, "error"),
        ({"task": "\ud800"}, "task"),
        ({"task": 5}, "task"),
        ({"delivery": "lost"}, "delivery"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    """422 with the field, and for one that is unknown with those there are."""
    with pytest.raises(Refused) as refused:
        parse_filter(fields)
    problem = refused.value.problem
    assert problem.status == 422
    assert [error.field for error in problem.errors] == [field]
    assert field != "state" or "created_after, created_before, cursor, delivery, email" in problem.detail
