"""Text as tasks get it: UTF-8 without a byte order mark."""

from __future__ import annotations

import html
import re
from email.message import Message

from streamapp.documents.charset import declared_in_markup, decode_text, decoded_markup, marked_as
from streamapp.errors import BadDocument

__all__ = [
    "EMPTY",
    "NULS",
    "encoding_of",
    "is_markup",
    "is_text",
    "normalise_text",
    "normalise_utf8",
    "said_encoding",
    "title_of",
]

NULS = "The text holds NUL characters (U+0000); is it text at all?"
EMPTY = "The text is empty."

MARKUP = ("text/html", "application/xhtml+xml")
TITLE = re.compile(r"<title[^<>]{0,100}>([^<]{1,500})", re.IGNORECASE)


def is_markup(media_type: str) -> bool:
    """Whether documents of this type are HTML."""
    return media_type in MARKUP


def is_text(media_type: str) -> bool:
    """Whether documents of this type are characters."""
    return media_type.startswith("text/") or is_markup(media_type)


def title_of(page: str) -> str:
    """What an HTML page calls itself, by its beginning; empty where it does not."""
    found = TITLE.search(page)
    return html.unescape(found[1]) if found else ""


def normalise_text(content: bytes, media_type: str) -> bytes:
    """The same text in UTF-8, by its byte order mark, its declared charset, or what it is without one.

    Raises `BadDocument`, in words for the sender.
    """
    essence = media_type.partition(";")[0].strip().lower()
    decode = decoded_markup if is_markup(essence) else decode_text
    return _checked(decode(content, _charset(media_type)))


def normalise_utf8(content: bytes) -> bytes:
    """The same for what is UTF-8, whatever it says of itself."""
    return _checked(decode_text(content, None))


def encoding_of(head: bytes, media_type: str) -> str:
    """What a text that begins like this is in, as it is marked or declared. It may be a name that nobody knows."""
    return said_encoding(head, media_type) or "utf-8"


def said_encoding(head: bytes, media_type: str) -> str | None:
    """The same; None where it is neither."""
    essence = media_type.partition(";")[0].strip().lower()
    return marked_as(head) or _charset(media_type) or (declared_in_markup(head) if is_markup(essence) else None)


def _checked(text: str) -> bytes:
    if "\0" in text:
        raise BadDocument(NULS)
    if not text.strip():
        raise BadDocument(EMPTY)
    return text.encode("utf-8")


def _charset(media_type: str) -> str | None:
    if ";" not in media_type:
        return None  # what Message would say too, but only after a while
    header = Message()
    header["Content-Type"] = media_type
    return header.get_content_charset()
