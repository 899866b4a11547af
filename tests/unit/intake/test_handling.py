"""Numbers as requests name them."""

from __future__ import annotations

import pytest

from streamapp.intake.handling import number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("9" * 18, None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("1.0", None),
        ("\u0663", None),
    ],
)
def test_a_number_that_an_id_may_be(text: str, number: int | None) -> None:
    """I expect None for what no column holds: PostgreSQL would refuse the statement."""
    assert number_of(text) == number
