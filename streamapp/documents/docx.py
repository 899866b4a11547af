"""DOCX (ECMA-376, WordprocessingML): paragraphs in one XML part, their headings known by the outline level of a style.

The part is read as a stream. Nothing is loaded that it refers to: no picture, no template, no address.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from lxml import etree

from streamapp.book import Book
from streamapp.documents.archive import Archive
from streamapp.documents.blocks import Block, to_book
from streamapp.documents.limits import Limits
from streamapp.documents.xmlparts import Element, local, parse_part, pull_parser, refuse_entities
from streamapp.errors import BadDocument

__all__ = ["read_docx"]

RELATIONSHIPS: Final = "_rels/.rels"
SKIPPED: Final = frozenset(("del", "moveFrom", "Fallback", "instrText", "delText"))
TITLE: Final = -1


def read_docx(file: BinaryIO, limits: Limits) -> Book:
    """The book. Raises `BadDocument` where it is damaged, encrypted, too much or without text."""
    archive = Archive(file, limits)
    path = _main_part(archive)
    levels = _levels(archive, posixpath.join(posixpath.dirname(path), "styles.xml"))
    blocks = list(_blocks(archive, path, levels))
    titles = [block.text for block in blocks if block.level == TITLE]
    return to_book((block for block in blocks if block.level != TITLE), " ".join(titles[:1]), "document", limits)


def _main_part(archive: Archive) -> str:
    """Where the text is, as the package's relationships say."""
    root = parse_part(archive.pieces(RELATIONSHIPS), RELATIONSHIPS)
    for each in root.iter():
        if each.get("Type", "").endswith("/officeDocument"):
            return posixpath.normpath(str(each.get("Target", "")).lstrip("/"))
    raise BadDocument("The document is damaged: it does not say where its text is.")


def _levels(archive: Archive, path: str) -> Mapping[str, int]:
    """The heading level of each paragraph style that has one, its own or that of the style it is based on."""
    if path not in archive:
        return {}
    own: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in parse_part(archive.pieces(path), path):
        if local(style) == "style":
            name = _value(style, "styleId")
            for each in style.iter():
                if local(each) == "outlineLvl" and _value(each, "val").isdigit():
                    own[name] = int(_value(each, "val")) + 1
                elif local(each) == "name" and _value(each, "val").lower() == "title":
                    own[name] = TITLE
                elif local(each) == "basedOn":
                    based[name] = _value(each, "val")
    return {name: level for name in {*own, *based} if (level := _inherited(name, own, based)) is not None}


def _inherited(name: str, own: Mapping[str, int], based: Mapping[str, str]) -> int | None:
    for _ in range(20):  # a style may be based on itself, in a file made to harm
        if name in own:
            return own[name] if own[name] <= 9 else None
        name = based.get(name, "")
    return None


def _blocks(archive: Archive, path: str, levels: Mapping[str, int]) -> Iterator[Block]:
    parser = pull_parser()
    try:
        for piece in archive.pieces(path):
            parser.feed(piece)
            yield from _finished(parser, levels)
        refuse_entities(parser.close(), path)
    except etree.LxmlError as error:
        raise BadDocument(f"The document's text is damaged: {error}.") from error


def _finished(parser: etree.XMLPullParser, levels: Mapping[str, int]) -> Iterator[Block]:
    for _, element in parser.read_events():
        if local(element) == "p" and not any(local(each) == "Fallback" for each in element.iterancestors()):
            level = next((found for each in element.iter() if (found := _level(each, levels)) is not None), 0)
            text = " ".join("".join(_texts(element)).split())
            yield Block(text, level)
            element.clear(keep_tail=True)


def _level(element: Element, levels: Mapping[str, int]) -> int | None:
    if local(element) == "outlineLvl" and _value(element, "val") in "012345678":
        return int(_value(element, "val")) + 1
    return levels.get(_value(element, "val")) if local(element) == "pStyle" else None


def _texts(paragraph: Element) -> Iterator[str]:
    """The words of a paragraph, without what was deleted from it. A paragraph within, as in a box, came by itself."""
    stack: list[Element] = list(reversed(paragraph))
    while stack:
        element = stack.pop()
        name = local(element)
        if name == "t":
            yield element.text or ""
        elif name in ("tab", "br", "cr"):
            yield " "
        elif name == "noBreakHyphen":
            yield "\u2011"
        elif name not in SKIPPED and name not in ("p", "pPr"):
            stack.extend(reversed(element))


def _value(element: Element, name: str) -> str:
    """An attribute, whatever namespace it is in: there are two of each, the transitional and the strict one."""
    return next((str(value) for key, value in element.items() if str(key).rpartition("}")[2] == name), "")
