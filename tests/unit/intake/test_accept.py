"""Which representation a client gets."""

from __future__ import annotations

import pytest

from streamapp.intake.accept import chosen

OFFERED = ("application/json", "text/plain", "text/html")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        (BROWSER, "text/html"),
        ("text/*", "text/plain"),
        ("text/*;q=0.5, text/html", "text/html"),
        ("text/html;q=0.5, text/plain;q=0.6", "text/plain"),
        ("TEXT/PLAIN; charset=utf-8", "text/plain"),
        ("application/json;q=0, */*", "text/plain"),
        ("image/png", None),
        ("application/json;q=0", None),
        ("nonsense, text/html", "text/html"),
        ("nonsense", "application/json"),
        ("text/html;q=x", "application/json"),
    ],
)
def test_the_best_of_what_there_is(header: str | None, expected: str | None) -> None:
    """By weight, the most specific range first, and ours first among equals."""
    assert chosen(header, OFFERED) == expected
