"""The XML parts of EPUB and DOCX files. No entity is expanded, nothing is loaded from anywhere, and depth has a bound.

libxml2 is told so, and a part that declares entities at all is refused: no book needs them (OWASP, XML External Entity
Prevention). lxml is libxml2's binding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from lxml import etree

from streamapp.errors import BadDocument

__all__ = ["Element", "local", "local_name", "parse_part", "pull_parser", "refuse_entities"]

Element: TypeAlias = Any  # lxml has no type hints


# it reaches for nothing: 256 elements deep at most, texts of 10 MB at most (libxml2's own bounds)
SAFE: Final[dict[str, bool]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def pull_parser() -> etree.XMLPullParser:
    """For a part that is read while it is parsed: tells the end of each element. Raises lxml's errors when fed."""
    return etree.XMLPullParser(events=("end",), **SAFE)


def parse_part(pieces: Iterable[bytes], name: str) -> Element:
    """A part's root. Raises `BadDocument` where it is no XML or declares entities."""
    parser = etree.XMLParser(**SAFE)
    try:
        for piece in pieces:
            parser.feed(piece)
        root: Element = parser.close()
    except etree.LxmlError as error:
        raise BadDocument(f"The part {name} is damaged: {error}.") from error
    refuse_entities(root, name)
    return root


def refuse_entities(element: Element, name: str) -> None:
    """Raises `BadDocument` when the document that this element is of declares entities."""
    declared = element.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise BadDocument(f"The part {name} declares XML entities, which no book does.")


def local(element: Element) -> str:
    """An element's name without its namespace; empty for what is no element."""
    return local_name(element.tag) if isinstance(element.tag, str) else ""


def local_name(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2]
