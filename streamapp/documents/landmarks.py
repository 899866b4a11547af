"""What stands beside the content of a page: its header, footer and sidebar, as its navigation does.

The same elements within an article, a section or a quotation belong to that one and are content: an article's heading
often stands in its header, and whom a quotation is from in its footer. See the HTML Standard,
4.3.5, 4.3.8 and 4.3.9, and HTML-AAM for which elements are a page's landmarks; there `main` counts as content too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["BANNER", "landmark"]

BANNER: Final = "banner"
"""A page's header: of what is in it, only the page's own title is content."""

OF_PAGES: Final = {"header": BANNER, "footer": "contentinfo", "aside": "complementary"}
SAID: Final = frozenset((BANNER, "contentinfo", "navigation", "search"))
"""Roles that are believed wherever they are given."""
CONTENT: Final = frozenset(
    ("article", "aside", "blockquote", "details", "dialog", "fieldset", "figure", "main", "section", "td")
)


def landmark(name: str, attributes: Mapping[str, str], around: Sequence[str]) -> str | None:
    """The role of an element that stands beside the page's content; `around` are the names of those that it is in."""
    role = attributes.get("role", "").strip().lower() or OF_PAGES.get(name)
    if role in SAID and "role" in attributes:
        return role
    return role if role in OF_PAGES.values() and CONTENT.isdisjoint(around) else None
