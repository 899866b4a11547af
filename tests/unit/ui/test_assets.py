"""What the pages are dressed in: media types, the policy, the colours."""

from __future__ import annotations

import re

import pytest

from streamapp.ui.pages import CONTENT_SECURITY_POLICY, assets


def test_assets_have_their_media_types() -> None:
    """A browser that is told not to sniff takes them."""
    kinds = {name.rpartition(".")[2]: kind for name, (content, kind) in assets().items() if content}
    assert kinds == {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def test_policy_allows_no_inline() -> None:
    """The policy offered to the web views allows nothing inline and nothing from elsewhere."""
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert not re.search(r"unsafe|\*|https?:|data:", CONTENT_SECURITY_POLICY)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, 1.4.3)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme: int) -> None:
    """Text has 4.5 to 1 against what it stands on, borders of fields 3 to 1, in both schemes (WCAG AA)."""
    css = assets()["style.css"][0].decode()
    block = re.findall(r":root \{(.*?)\}", css, re.S)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    on = {
        "ink": ["page", "card", "soft", "bad-soft", "stop-soft", "run-soft"],
        "quiet": ["page", "card", "soft", "run-soft"],
    }
    on |= {"accent": ["page", "card", "bad-soft", "stop-soft"], "on-accent": ["accent"], "bad": ["page", "bad-soft"]}
    on |= {tone: [f"{tone}-soft"] for tone in ("good", "run", "wait", "stop")}
    for text, grounds in on.items():
        for ground in grounds:
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert _contrast("#1f2429", colours["paper"]) >= 4.5  # pictures are made for a light ground in both schemes
    for ground in ("page", "card"):
        assert _contrast(colours["edge"], colours[ground]) >= 3, ground
