"""The same book as Markdown, HTML, EPUB, DOCX and PDF, made by hand: the tests share nothing with what reads them."""

from __future__ import annotations

import io
import re
import textwrap
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from streamapp.book import Book

__all__ = ["docx", "epub", "html", "markdown", "pdf", "pdf_objects", "zipped"]

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="{}"/>'
    "</rootfiles></container>"
)


MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def markdown(book: Book) -> bytes:
    """With # and ##, lines that are wrapped, and a backslash before whatever could mean something."""

    def plain(text: str) -> str:
        return MARKS.sub(r"\\\1", text)

    parts = [f"# {plain(book.title)}"]
    for chapter in book.chapters:
        parts.append(f"## {plain(chapter.heading)}")
        parts += [textwrap.fill(plain(text), 70, break_on_hyphens=False) for text in chapter.paragraphs]
    return "\n\n".join(parts).encode()


def html(book: Book) -> bytes:
    """One page with h1 and h2."""
    parts = [f"<!DOCTYPE html><html><head><meta charset=utf-8><title>{escape(book.title)}</title></head><body>"]
    parts.append(f"<h1>{escape(book.title)}</h1>")
    for chapter in book.chapters:
        parts.append(f"<h2>{escape(chapter.heading)}</h2>")
        parts += [
            f"<p>{escape(textwrap.fill(paragraph, 70, break_on_hyphens=False))}</p>" for paragraph in chapter.paragraphs
        ]
    return "\n".join([*parts, "</body></html>"]).encode()


def zipped(parts: Mapping[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in parts.items():
            kind = zipfile.ZIP_STORED if name == "mimetype" else compression
            archive.writestr(name, content, kind)
    return packed.getvalue()


def epub_parts(book: Book) -> dict[str, bytes | str]:
    """An EPUB 3 with a part for each chapter."""
    files = {f"text/{number}.xhtml": chapter for number, chapter in enumerate(book.chapters)}
    manifest = "".join(
        f'<item id="c{at}" href="{name}" media-type="application/xhtml+xml"/>' for at, name in enumerate(files)
    )
    nav = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(len(files)))
    links = "".join(f'<li><a href="{name}#begin">{escape(chapter.heading)}</a></li>' for name, chapter in files.items())
    parts: dict[str, bytes | str] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER.format("OEBPS/book.opf"),
        "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{escape(book.title)}</dc:title></metadata><manifest>{nav}{manifest}</manifest>"
        f"<spine>{spine}</spine></package>",
        "OEBPS/nav.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
        f'<nav epub:type="toc"><ol>{links}</ol></nav></body></html>',
    }
    for name, chapter in files.items():
        paragraphs = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in chapter.paragraphs)
        parts[f"OEBPS/{name}"] = (
            '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
            f'</head><body><h2 id="begin">{escape(chapter.heading)}</h2>{paragraphs}</body></html>'
        )
    return parts


def epub(book: Book) -> bytes:
    """The same as a file."""
    return zipped(epub_parts(book))


def docx_parts(book: Book) -> dict[str, bytes | str]:
    """Styles for title and headings, and the text."""

    def paragraph(text: str, style: str = "") -> str:
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'

    body = [paragraph(book.title, "Title")]
    for chapter in book.chapters:
        body += [paragraph(chapter.heading, "Heading1"), *map(paragraph, chapter.paragraphs)]
    styles = (
        '<w:style w:styleId="Title"><w:name w:val="Title"/></w:style>'
        '<w:style w:styleId="Base"><w:name w:val="base"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Base"/></w:style>'
    )
    relationship = f'<Relationship Id="r1" Type="{OFFICE}" Target="word/document.xml"/>'
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f"{relationship}</Relationships>",
        "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{"".join(body)}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{W}">{styles}</w:styles>',
    }


def docx(book: Book) -> bytes:
    """The same as a file."""
    return zipped(docx_parts(book))


def pdf(book: Book, *, outline: bool = True) -> bytes:
    """Pages with a running head and a number; each chapter on a new page, its name in the outline."""
    pages: list[bytes] = []
    starts: list[tuple[str, int]] = []
    for chapter in book.chapters:
        starts.append((chapter.heading, len(pages)))
        lines: list[tuple[str, float, float]] = [(chapter.heading, 16.0, 30.0)]  # text, size, space below
        for paragraph in chapter.paragraphs:
            wrapped = textwrap.wrap(paragraph, 72, break_on_hyphens=False)
            lines += [(line, 11.0, 14.0 if at + 1 < len(wrapped) else 20.0) for at, line in enumerate(wrapped)]
        while lines:
            pages.append(_page(lines, book.title, len(pages) + 1))
    return _document(pages, starts if outline else [], book.title)


def _page(lines: list[tuple[str, float, float]], head: str, number: int) -> bytes:
    """As many of the lines as there is room for, taken from them."""
    drawn = [_shown(head.upper(), 9, 72, 800)]
    y = 770.0
    while lines and y > 60:
        text, size, below = lines.pop(0)
        drawn.append(_shown(text, size, 72, y))
        y -= below
    return b"\n".join([*drawn, _shown(str(number), 9, 300, 20)])


def _shown(text: str, size: float, x: float, y: float) -> bytes:
    escaped = text.encode("cp1252", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT /F1 %g Tf %g %g Td (%s) Tj ET" % (size, x, y, escaped)


def _document(pages: Sequence[bytes], outline: Sequence[tuple[str, int]], title: str) -> bytes:
    first = 6  # catalog, pages, font, info, outlines come before
    kids = b" ".join(b"%d 0 R" % (first + 2 * at) for at in range(len(pages)))
    lines = first + 2 * len(pages)
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
        2: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
        4: b"<< /Title (%s) >>" % title.encode("cp1252", "replace"),
        5: b"<< /Type /Outlines /First %d 0 R /Last %d 0 R >>" % (lines, lines + len(outline) - 1)
        if outline
        else b"<< >>",
    }
    for at, content in enumerate(pages):
        objects[first + 2 * at] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (first + 2 * at + 1)
        )
        packed = zlib.compress(content)
        objects[first + 2 * at + 1] = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (
            len(packed),
            packed,
        )
    for at, (text, page) in enumerate(outline):
        following = b"/Next %d 0 R " % (lines + at + 1) if at + 1 < len(outline) else b""
        named = text.encode("utf-16-be").hex().encode()
        objects[lines + at] = b"<< /Title <feff%s> /Parent 5 0 R %s/Dest [%d 0 R /XYZ 0 842 0] >>" % (
            named,
            following,
            first + 2 * page,
        )
    return pdf_objects(objects)


def pdf_objects(objects: Mapping[int, bytes], trailer: bytes = b"/Root 1 0 R /Info 4 0 R") -> bytes:
    """A PDF file of numbered objects (ISO 32000-1, 7.5)."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places: dict[int, int] = {}
    for number, content in sorted(objects.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n" % size + b"".join(_entries(places, size))
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start)
    return bytes(out)


def _entries(places: Mapping[int, int], size: int) -> Iterator[bytes]:
    for number in range(size):
        yield b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 65535 f \n"
