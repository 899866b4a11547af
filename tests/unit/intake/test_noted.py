"""What a text is called that nobody named."""

from __future__ import annotations

import pytest

from streamapp.intake.noted import first_words

LONG = "a word and " * 20


@pytest.mark.parametrize(
    ("media_type", "text", "expected"),
    [
        ("text/plain", "\n\n  A  line\nanother", "A line"),
        ("text/plain", "\n## A *road*\n\nanother", "A *road*"),
        ("text/plain", "#1 of all", "#1 of all"),
        ("text/plain", "#\nA line", "#"),
        ("text/plain", LONG, f"{LONG[:79].rstrip()}…"),
        ("text/html", "<!DOCTYPE html><title> A\npage</title><p>b", "A page"),
        ("text/html", "<p>b", None),
        ("text/markdown", "\n# The *Road* to [Rome](x)\n\ntext", "The Road to Rome"),
        ("text/markdown", "[![Build](b.svg)](c)\n\n- one `item`\n  that goes on", "one item that goes on"),
        ("text/markdown", "---\ntitle: 'A road'\n---\n# Rome", "A road"),
        ("text/markdown", "```\ncode\n```", None),
        ("text/markdown", "| a |\n|---|\n| b |\n\nA road.", "A road."),
        ("text/markdown", ">" * 2000, None),
        ("text/markdown", LONG, f"{LONG[:79].rstrip()}…"),
        ("application/pdf", "%PDF-", None),
    ],
)
def test_a_text_is_called_by_how_it_begins(media_type: str, text: str, expected: str | None) -> None:
    """Its first line, a page's title, or what Markdown shows first; nothing where it begins with no words."""
    assert first_words(text.encode(), media_type) == expected
