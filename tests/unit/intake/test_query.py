"""A query is checked by the model that describes it."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import Field

from streamapp.intake.query import PageQuery, Query, read_query
from streamapp.intake.refusal import Refused


class _Filter(Query):
    """A filter."""

    status: list[str] = Field(default_factory=list)
    name: str | None = None


def test_numbers_are_read() -> None:
    """And what is left out is the default."""
    assert read_query(make_mocked_request("GET", "/?limit=7"), PageQuery) == PageQuery(limit=7)
    assert read_query(make_mocked_request("GET", "/"), PageQuery).limit == 20


def test_several_of_a_list() -> None:
    """A list is a parameter that comes several times."""
    request = make_mocked_request("GET", "/?status=failed&status=expired&name=x")
    assert read_query(request, _Filter) == _Filter(status=["failed", "expired"], name="x")


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=x", "limit"), ("limt=3", "limt"), ("limit=1&limit=2", "limit")]
)
def test_what_is_wrong_is_named(query: str, field: str) -> None:
    """Out of bounds, no number, misspelt, or twice: 422."""
    with pytest.raises(Refused) as refused:
        read_query(make_mocked_request("GET", f"/?{query}"), PageQuery)

    assert refused.value.problem.status == 422
    assert [error.field for error in refused.value.problem.errors] == [field]
