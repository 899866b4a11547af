"""What a posted document is, settled at the door by what is said of it and by its bytes.

Only what is cheap is looked at here: magic bytes, an archive's directory, a charset, words that any PDF has. What needs
the document read, a process of its own finds out (`streamapp.documents.apart`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO, Final

from streamapp.documents.archive import Archive
from streamapp.documents.kinds import DOCX, EPUB, OCTETS, PDF, Looks, named, sniff
from streamapp.documents.limits import Limits
from streamapp.documents.text import is_text, normalise_text, normalise_utf8
from streamapp.errors import BadDocument

__all__ = ["UnknownType", "WrongType", "accepted", "accepted_file", "accepted_text"]

# what says nothing, and what some say of any archive
NOTHING: Final = ("application/octet-stream", "binary/octet-stream")
FILES: Final = (EPUB, PDF, DOCX)
ARCHIVES: Final = (EPUB, DOCX)
HEAD: Final = 4096
LOOKED_THROUGH: Final = 2 * 1024 * 1024  # bytes; of more, only the beginning is looked at
PDF_PARTS: Final = (b"obj", b"startxref", b"%%EOF")  # ISO 32000-1, 7.3.10 and 7.5.5
VAGUE: Final = (OCTETS, "binary/octet-stream", "application/zip", "application/x-zip-compressed", "application/x-zip")


class WrongType(BadDocument):
    """The task takes no documents of this type."""


class UnknownType(BadDocument):
    """Nobody says what the document is, nor do its bytes."""


def accepted(content: bytes, declared: str | None, accepts: Sequence[str], *, task: str) -> tuple[bytes, str]:
    """The bytes, text among them in UTF-8, and the media type without parameters.

    Raises `WrongType`, and `BadDocument` for what is empty, no text, contradicts its type, or can't be read as one sees
    from its beginning or an archive's directory.
    """
    looks = sniff(content)
    essence = _agreed(declared, looks, accepts, task)
    if not content:
        raise BadDocument("The document is empty.")
    _check_looks(essence, looks)
    if essence in ARCHIVES:
        Archive(io.BytesIO(content), Limits())
    elif essence == PDF:
        _check_pdf(content)
    return (normalise_text(content, declared or "") if is_text(essence) else content), essence


def accepted_file(file: BinaryIO, declared: str, accepts: Sequence[str], *, task: str) -> str:
    """The media type of what is too large to be held, from its beginning and an archive's directory. Raises the same.

    Text is not looked at.
    """
    looks = sniff(file.read(HEAD), file)
    essence = _agreed(declared, looks, accepts, task)
    _check_looks(essence, looks)
    if essence in ARCHIVES:
        Archive(file, Limits())
    return essence


def accepted_text(content: bytes, declared: str, accepts: Sequence[str], *, task: str) -> tuple[bytes, str]:
    """The same for what came as characters, whatever they look like. Raises the same."""
    essence = _essence(declared)
    if essence not in accepts:
        raise WrongType(f"Task {task} takes {', '.join(accepts)}, not {essence}.")
    if not content:
        raise BadDocument("The document is empty.")
    if essence in FILES:
        raise BadDocument(f"Text is no {named(essence)}: send the file as document, in base64.")
    return (normalise_utf8(content) if is_text(essence) else content), essence


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _agreed(declared: str | None, looks: Looks | None, accepts: Sequence[str], task: str) -> str:
    """The media type by what is said and, where that says nothing, by what the bytes look like."""
    said = _essence(declared or OCTETS)
    essence = _settled(said, looks, accepts)
    if declared is None and looks is None:
        raise UnknownType("Say what the document is, for example application/pdf.")
    if essence not in accepts:
        takes = f"Task {task} takes {', '.join(accepts)}"
        if looks is None and said in NOTHING:
            raise WrongType(f"{takes}. {said} leaves it to the bytes, and they look like none of these: name its type.")
        raise WrongType(f"{takes}, not {f'{looks.words} ({said})' if looks and said in VAGUE else essence}.")
    return essence


def _settled(said: str, looks: Looks | None, accepts: Sequence[str]) -> str:
    seen = looks.media_type if looks else None
    return seen if said not in accepts and said in VAGUE and seen in accepts and seen else said


def _check_looks(essence: str, looks: Looks | None) -> None:
    """Text may look like HTML, and HTML like nothing; the others are what they look like."""
    if essence in FILES:
        fits = looks is not None and looks.media_type == essence
    elif is_text(essence):
        fits = looks is None or is_text(looks.media_type or "")
    else:
        return
    if not fits:
        seen = f"looks like {looks.words}" if looks else "does not look like it"
        raise BadDocument(f"The document is said to be {named(essence)}, and {seen}.")


def _check_pdf(content: bytes) -> None:
    """One that is cut off may still be read; one that has nothing of a PDF but its first line can't."""
    if len(content) <= LOOKED_THROUGH and not any(part in content for part in PDF_PARTS):
        raise BadDocument("The PDF is damaged: it begins as one, and there is nothing of a PDF behind that.")
