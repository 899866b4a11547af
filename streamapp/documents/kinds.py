"""What kinds of file there are: their media types, suffixes and names, and what bytes look like.

A client that does not know says ``application/octet-stream`` or nothing; one that says what is not so is told what the
bytes look like. Looking is cheap: the first kilobyte, and an archive's directory.
"""

from __future__ import annotations

import io
import mimetypes
import re
from typing import BinaryIO, Final, NamedTuple

from streamapp.documents.archive import Archive
from streamapp.documents.limits import Limits
from streamapp.errors import BadDocument

__all__ = [
    "DOCX",
    "EPUB",
    "HTML",
    "MARKDOWN",
    "OCTETS",
    "PDF",
    "TEXT",
    "XHTML",
    "Looks",
    "guess_type",
    "named",
    "sniff",
    "suffixes",
]

TEXT, MARKDOWN, HTML, XHTML = "text/plain", "text/markdown", "text/html", "application/xhtml+xml"
EPUB, PDF = "application/epub+zip", "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ZIP, OCTETS = "application/zip", "application/octet-stream"

NAMES: Final = {
    TEXT: "plain text",
    MARKDOWN: "Markdown",
    HTML: "HTML",
    XHTML: "XHTML",
    EPUB: "EPUB",
    PDF: "PDF",
    DOCX: "DOCX",
}
SUFFIXES: Final = {
    ".txt": TEXT,
    ".text": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": XHTML,
    ".epub": EPUB,
    ".pdf": PDF,
    ".docx": DOCX,
}

HEAD: Final = 1024
OTHERS: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc), or a newer one with a password"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b\x08", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"AT&TFORM", "DjVu"),
)
KINDLE, KINDLE_AT = b"BOOKMOBI", 60
PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,500}?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)


class Looks(NamedTuple):
    """What bytes look like: the media type if it is one of those that are known here, and the words for it."""

    media_type: str | None
    words: str


def named(media_type: str) -> str:
    """What people call it."""
    return NAMES.get(media_type, media_type)


def suffixes(media_type: str) -> list[str]:
    """Of files of that type."""
    return [suffix for suffix, kind in SUFFIXES.items() if kind == media_type]


def guess_type(name: str) -> str | None:
    """What a file of that name is. Not every machine's table knows EPUB and DOCX, so ours comes first."""
    dot = name.rfind(".")
    known = SUFFIXES.get(name[dot:].lower()) if dot >= 0 else None
    guessed, encoding = mimetypes.guess_type(name)
    return known or (guessed if encoding is None else None)


def sniff(content: bytes, file: BinaryIO | None = None) -> Looks | None:
    """What the bytes look like; None where they look like nothing that is known, as text does.

    Of a `file` that is not held in memory, `content` is the beginning.
    """
    head = content[:HEAD]
    if b"%PDF-" in head:
        return Looks(PDF, "PDF")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(content, file or io.BytesIO(content))
    if head[KINDLE_AT : KINDLE_AT + len(KINDLE)] == KINDLE:
        return Looks(None, "a Kindle book")
    if PAGE.match(head):
        return Looks(HTML, "HTML")
    return next((Looks(None, words) for magic, words in OTHERS if head.startswith(magic)), None)


def _archive(content: bytes, file: BinaryIO) -> Looks:
    if content[30:58] == b"mimetype" + EPUB.encode():  # the first part, not compressed (OCF 3.3, 4.3)
        return Looks(EPUB, "EPUB")
    try:
        names = Archive(file, Limits()).names
    except BadDocument as error:
        return Looks(ZIP, f"a zip archive that can't be read ({str(error).rstrip('.')})")
    if "META-INF/container.xml" in names:
        return Looks(EPUB, "EPUB")
    if "[Content_Types].xml" in names:
        office = {
            "word": Looks(DOCX, "DOCX"),
            "xl": Looks(None, "an Excel file"),
            "ppt": Looks(None, "a PowerPoint file"),
        }
        return next(
            (looks for folder, looks in office.items() if any(n.startswith(f"{folder}/") for n in names)), ANY_ZIP
        )
    return ANY_ZIP


ANY_ZIP: Final = Looks(ZIP, "a zip archive")
