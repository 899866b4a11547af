"""HTML and XHTML as blocks, read as a stream of tags by lxml, so that no depth or size makes a tree of it.

XHTML is tried as XML first, because an HTML parser takes ``<title/>`` for a title that never ends; what is no XML is
read as browsers read it. Entities are only those that HTML names: what a document declares itself is not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5
from typing import Final

from lxml import etree

from streamapp.documents.blocks import Block
from streamapp.documents.exhibits import exhibit_depth
from streamapp.documents.landmarks import BANNER, landmark
from streamapp.documents.limits import Limits
from streamapp.documents.xmlparts import local_name
from streamapp.errors import BadDocument

__all__ = ["read_markup"]

HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
# fmt: off
SKIPPED: Final = frozenset((
    "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object", "select", "textarea", "button",
    "rt", "rp",
))
INLINE: Final = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "mark", "q", "ruby", "rb", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
    "time", "tt", "u", "var", "wbr",
))
# fmt: on
PAGE_NUMBER = re.compile(r"\bpage-?(?:num|number|no|break)\b")
NOTE_MARK = re.compile(r"\b(?:noteref|footnote-?ref|fnanchor)\b")
BLANK_LINE = re.compile(r"\n\s*\n")
ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31};)")
DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
XML: Final = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))
PIECE: Final = 64 * 1024


def read_markup(
    text: str, limits: Limits, *, xml: bool, beside: bool = True, exhibits: bool = False
) -> tuple[str, list[Block]]:
    """The document's own title, empty where it has none, and its blocks. Raises `BadDocument` where it is too deep.

    `beside`: with what stands beside a page's content. A book's pages have none: what looks like it is the book's.
    `exhibits`: with code and tables of data.
    """
    if not text.strip():
        return "", []
    if xml:
        try:
            return _read(_as_xml(text), _xml_parser(_Reader(limits.depth, beside=beside, exhibits=exhibits)))
        except etree.LxmlError:
            pass  # many books say XHTML and are not
    try:
        return _read(text, _html_parser(_Reader(limits.depth, beside=beside, exhibits=exhibits)))
    except etree.LxmlError as error:
        raise BadDocument(f"The HTML can't be read: {error}.") from error


def _xml_parser(reader: _Reader) -> etree.XMLParser:
    return etree.XMLParser(target=reader, encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False)


def _html_parser(reader: _Reader) -> etree.HTMLParser:
    return etree.HTMLParser(target=reader, encoding="utf-8", no_network=True)


def _read(text: str, parser: etree.XMLParser | etree.HTMLParser) -> tuple[str, list[Block]]:
    content = text.encode("utf-8", "replace")
    for start in range(0, len(content), PIECE):
        parser.feed(content[start : start + PIECE])
    found: tuple[str, list[Block]] = parser.close()
    return found


def _as_xml(text: str) -> str:
    """Without a document type, whose entities would be unknown, and with HTML's own entities as characters."""
    return ENTITY.sub(_character, DOCTYPE.sub("", text, count=1))


def _character(found: re.Match[str]) -> str:
    name = found[1]
    return found[0] if name in XML else html5.get(name, f"&amp;{name}")


class _Reader:
    """Called by lxml for each tag and text; what `close` returns is what the parser returns."""

    def __init__(self, depth: int, *, beside: bool, exhibits: bool) -> None:
        self._limit, self._beside, self._exhibits = depth, beside, exhibits
        self._open: list[str] = []
        self._skip_below: int | None = None
        self._banner_below: int | None = None
        self._level = 0
        self._pre = 0
        self._in_title = False
        self._title: list[str] = []
        self._text: list[str] = []
        self._anchors: list[str] = []
        self._blocks: list[Block] = []
        self._banner: list[Block] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A tag opens."""
        name = local_name(tag).lower()
        self._open.append(name)
        if len(self._open) > self._limit:
            raise BadDocument(f"The HTML has more than {self._limit:,} elements within each other.")
        if self._skip_below is not None:
            return
        around = self._open[:-1]
        role = None if self._beside else landmark(name, attributes, around)
        if role:
            self._flush()
        exhibit = None if self._exhibits else exhibit_depth(name, attributes, around)
        if exhibit is not None:
            self._skip_below = exhibit
        elif name in SKIPPED or _is_apparatus(attributes) or role not in (None, BANNER):
            self._skip_below = len(self._open)
        elif name == "title" and "head" in self._open[-2:]:
            self._in_title = True
        elif name == "br":
            self._text.append("\n")
        elif name not in INLINE:
            self._flush()
            self._level = HEADINGS.get(name, self._level)
            self._pre += name == "pre"
        if role == BANNER and self._banner_below is None:
            self._banner_below = len(self._open)
        self._anchors += [attributes[key] for key in ("id", "name") if attributes.get(key)]

    def end(self, tag: str) -> None:
        """A tag closes; the parser closes each that it opened."""
        name = local_name(tag).lower()
        if self._skip_below is not None:
            self._skip_below = None if self._skip_below == len(self._open) else self._skip_below
        elif name == "title":
            self._in_title = False
        elif name in HEADINGS:
            self._flush()
            self._level = 0
        elif name not in INLINE and name != "br":
            self._flush()
            self._pre -= name == "pre"
        if self._banner_below == len(self._open):
            self._flush()
            self._banner_below = None
        if self._open:
            self._open.pop()

    def data(self, text: str) -> None:
        """Text between tags."""
        if self._in_title:
            self._title.append(text)
        elif self._skip_below is None:
            self._text.append(text)

    def close(self) -> tuple[str, list[Block]]:
        """The end: title and blocks. The heading in a page's header is its title, unless the content has one."""
        self._flush()
        title = " ".join("".join(self._title).split())
        if any(block.level == 1 for block in self._blocks):
            return title, self._blocks
        return title, self._banner[:1] + self._blocks

    def _flush(self) -> None:
        """What was read since the last block begins and ends here; names without text wait for the next one."""
        text = "".join(self._text)
        self._text.clear()
        if not text.strip():
            return
        if self._banner_below is not None:
            self._banner += [Block(" ".join(text.split()), 1)] if self._level == 1 else []
            return
        for part in BLANK_LINE.split(text) if self._pre else (text,):
            self._blocks.append(Block(" ".join(part.split()), self._level, tuple(self._anchors)))
            self._anchors.clear()


def _is_apparatus(attributes: Mapping[str, str]) -> bool:
    """What a publisher put between the words: numbers of printed pages, marks of notes; and what is not shown."""
    said = " ".join(value for key, value in attributes.items() if key == "class" or key.endswith(("}type", ":type")))
    return bool(PAGE_NUMBER.search(said) or NOTE_MARK.search(said) or "hidden" in attributes)
