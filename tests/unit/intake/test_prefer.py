"""The header `Prefer` as clients write it, and as they should not (RFC 7240)."""

from __future__ import annotations

import pytest

from streamapp.intake.prefer import LONGEST_WAIT_S, Preference, preference


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["wait=10"], Preference(10)),
        (['Wait = "10"'], Preference(10)),
        (["respond-async, wait=10"], Preference(10, True)),
        (["respond-async", "wait=10"], Preference(10, True)),
        (["wait=10; strict, respond-async;a=b"], Preference(10, True)),
        (["wait=10, wait=20"], Preference(10)),
        (['other="a, wait=5", wait=7'], Preference(7)),
        (["wait=0"], Preference(0)),
        (["wait=999999"], Preference(LONGEST_WAIT_S)),
        (["respond-async"], Preference(None, True)),
        *[([each], Preference()) for each in ("", "wait", "wait=", "wait=-1", "wait=1.5", "wait=x", "wait=²", ",;=")],
        (["wait=" + "9" * 8000], Preference()),
        (["wait=x, wait=5"], Preference()),
    ],
)
def test_what_is_preferred(headers: list[str], expected: Preference) -> None:
    """What makes sense is read, and the rest ignored, as the RFC asks."""
    assert preference(headers) == expected


@pytest.mark.parametrize(
    ("wished", "in_time", "expected"),
    [
        (Preference(10), True, "wait=10"),
        (Preference(10), False, "wait=10"),
        (Preference(10, True), True, "wait=10"),
        (Preference(10, True), False, "respond-async, wait=10"),
        (Preference(None, True), False, "respond-async"),
        (Preference(), False, None),
    ],
)
def test_what_is_said_to_be_applied(wished: Preference, in_time: bool, expected: str | None) -> None:
    """Only what this answer held to."""
    assert wished.applied(in_time) == expected
