"""EPUB (W3C EPUB 3.3; OPF 2.0.1 before): an archive of XHTML, its order in the spine, its chapters in the contents.

Every path in it is looked up in the archive and nowhere else, so ``../../etc/passwd`` and ``http://…`` name parts
that are missing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Self
from urllib.parse import unquote, urlsplit

from streamapp.book import Book
from streamapp.documents.archive import Archive
from streamapp.documents.blocks import Block, to_book
from streamapp.documents.charset import decoded_markup
from streamapp.documents.contents import Place, nav_entries, ncx_entries, with_contents
from streamapp.documents.limits import Limits
from streamapp.documents.markup import read_markup
from streamapp.documents.xmlparts import Element, local, parse_part
from streamapp.errors import BadDocument

__all__ = ["read_epub"]

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
XHTML: Final = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document")
NCX: Final = "application/x-dtbncx+xml"
# fonts are scrambled by these, and nothing that is read (EPUB 3.3, section 4.4)
FONTS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(file: BinaryIO, limits: Limits) -> Book:
    """The book. Raises `BadDocument` where it is damaged, encrypted, too much or without text."""
    archive = Archive(file, limits)
    _check_encryption(archive)
    package = _Package.of(archive)
    files = {path: _blocks(archive, path, limits) for path in package.spine}
    if not files:
        raise BadDocument("The EPUB is damaged: it names no part of the book that is there.")
    return to_book(with_contents(files, package.entries(archive)), package.title, "EPUB", limits)


@dataclass(frozen=True, slots=True)
class _Package:
    """What the package document says: the title, the parts in reading order, and where the contents are."""

    title: str
    spine: Sequence[str]
    nav: str | None
    ncx: str | None

    @classmethod
    def of(cls, archive: Archive) -> Self:
        """Find it in the archive, and read it."""
        container = parse_part(archive.pieces(CONTAINER), CONTAINER)
        path = next((each.get("full-path", "") for each in container.iter() if local(each) == "rootfile"), "")
        root = parse_part(archive.pieces(path), path)
        parts = {each.get("id", ""): each for each in root.iter() if local(each) == "item"}
        spine = [each.get("idref", "") for each in root.iter() if local(each) == "itemref"]
        titles = (" ".join("".join(each.itertext()).split()) for each in root.iter() if local(each) == "title")
        read = (parts[name] for name in spine if name in parts and parts[name].get("media-type") in XHTML)
        return cls(
            title=next(filter(None, titles), ""),
            spine=list(dict.fromkeys(found for each in read if (found := _path(archive, path, each)))),
            nav=_first(archive, path, [each for each in parts.values() if "nav" in each.get("properties", "").split()]),
            ncx=_first(archive, path, [each for each in parts.values() if each.get("media-type") == NCX]),
        )

    def entries(self, archive: Archive) -> list[Place]:
        """The contents; none is fine. The newer kind is taken where there are both."""
        if self.nav is not None:
            return nav_entries(decoded_markup(archive.read(self.nav), None), self.nav)
        if self.ncx is not None:
            return ncx_entries(parse_part(archive.pieces(self.ncx), self.ncx), self.ncx)
        return []


def _first(archive: Archive, base: str, parts: Sequence[Element]) -> str | None:
    return next((found for each in parts if (found := _path(archive, base, each))), None)


def _path(archive: Archive, base: str, part: Element) -> str | None:
    """The name in the archive of a part of the manifest, if it is there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(urlsplit(part.get("href", "")).path)))
    return path if path in archive else None


def _blocks(archive: Archive, path: str, limits: Limits) -> list[Block]:
    page = decoded_markup(archive.read(path), None)
    _, blocks = read_markup(page, limits, xml=True)
    return blocks or read_markup(page, limits, xml=True, exhibits=True)[1]


def _check_encryption(archive: Archive) -> None:
    if "META-INF/rights.xml" in archive or "META-INF/license.lcpl" in archive:
        raise BadDocument("The EPUB is encrypted (DRM); send one without.")
    if ENCRYPTION not in archive:
        return
    root = parse_part(archive.pieces(ENCRYPTION), ENCRYPTION)
    used = {each.get("Algorithm", "") for each in root.iter() if local(each) == "EncryptionMethod"}
    if used - set(FONTS):
        raise BadDocument("The EPUB is encrypted (DRM); send one without.")
