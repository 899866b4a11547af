"""An EPUB's contents: each line names a place, and that is where a chapter begins, whatever the text there looks like.

The newer kind is a list in HTML (EPUB 3.3, section 7), the older one XML (NCX). A book whose contents name fewer than
two places in it keeps the headings that its text has.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from lxml import etree

from streamapp.documents.blocks import Block
from streamapp.documents.xmlparts import Element, local

__all__ = ["Place", "nav_entries", "ncx_entries", "with_contents"]

TYPE: Final = "epub:type"


class Place(NamedTuple):
    """A line of the contents: the part and the name in it that it leads to, and how deep in the list it stands."""

    path: str
    fragment: str
    title: str
    depth: int

    @classmethod
    def at(cls, base: str, link: str, title: str, depth: int) -> Place:
        """Where a link in the part `base` leads."""
        parts = urlsplit(link)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(parts.path))) if parts.path else base
        return cls(path, unquote(parts.fragment), " ".join(title.split()), depth)


def nav_entries(text: str, base: str) -> list[Place]:
    """Of a navigation document, at `base` in the archive."""
    try:
        parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.LxmlError:
        return []
    lists = [each for each in root.iter("nav") if "toc" in each.get(TYPE, "").split()] if root is not None else []
    return [
        Place.at(base, link.get("href", ""), "".join(link.itertext()), _depth(link))
        for link in (lists[0].iter("a") if lists else ())
        if link.get("href")
    ]


def ncx_entries(root: Element, base: str) -> list[Place]:
    """Of an NCX, at `base` in the archive."""
    found = []
    for point in root.iter():
        if local(point) == "navPoint":
            label = next((each for each in point if local(each) == "navLabel"), None)
            content = next((each for each in point if local(each) == "content"), None)
            if label is not None and content is not None:
                found.append(Place.at(base, content.get("src", ""), "".join(label.itertext()), _depth(point)))
    return found


def with_contents(files: Mapping[str, Sequence[Block]], places: Sequence[Place]) -> Iterator[Block]:
    """The blocks of all parts in their order, with the contents' lines as headings in place of the text's own."""
    starts: dict[tuple[str, int], list[Place]] = {}
    for place in places:
        if place.path in files:
            starts.setdefault((place.path, _position(files[place.path], place.fragment)), []).append(place)
    if len(starts) < 2:
        yield from (block for blocks in files.values() for block in blocks)
        return
    for path, blocks in files.items():
        for position in range(len(blocks) + 1):
            yield from (Block(place.title, place.depth) for place in starts.get((path, position), ()))
            if position < len(blocks) and not blocks[position].level:
                yield blocks[position]


def _position(blocks: Sequence[Block], fragment: str) -> int:
    return next((at for at, block in enumerate(blocks) if fragment in block.anchors), 0) if fragment else 0


def _depth(element: Element) -> int:
    """1 for a line of the outermost list."""
    return max(
        1, sum(local(each) in ("ol", "navPoint") for each in element.iterancestors()) + (local(element) == "navPoint")
    )
