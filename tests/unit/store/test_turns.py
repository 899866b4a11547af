"""What gets credits before a job's next one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.store.turns import before


def row(
    name: str, served: float, *, tenant: str = "anna", started: float | None = 0.0, priority: int = 0, **other: Any
) -> Any:
    """A running job with chunks that wait."""
    fields = {"status": "running", "waiting": 1, "started_at": started, "priority": priority, **other}
    return SimpleNamespace(tenant=tenant, id=name, run=1, served=served, **fields)


def places(*rows: Any) -> dict[str, float]:
    """By name."""
    return {key[1]: place for key, place in before(rows).items()}


def test_the_least_served_is_next_and_of_equals_the_older_one() -> None:
    """I expect each to wait for a chunk of everyone before it: a quarter of a round of four each."""
    found = places(row("d", 2.0), row("b", 1.0, started=2.0), row("c", 1.0, started=3.0), row("a", 1.0, started=1.0))
    assert found == {"a": 0.0, "b": 0.25, "c": 0.5, "d": 0.75}


def test_a_round_is_shorter_for_who_has_more_weight() -> None:
    """I expect two thirds of a chunk of its own for the one of double weight, while another gets one."""
    assert places(row("a", 1.0), row("b", 1.5, priority=1)) == {"a": 0.0, "b": pytest.approx(2 / 3)}


def test_others_are_not_before_anybody() -> None:
    """I expect no place for other tenants' jobs, for those that are queued, or for who waits for no credit."""
    ahead = (row("t", 0.0, tenant="ben"), row("q", 0.0, status="queued", started=None), row("f", 0.0, waiting=0))
    assert places(*ahead, row("a", 1.0)) == {"t": 0.0, "a": 0.0}
