"""Plain text as tasks get it: UTF-8 without a byte order mark."""

from __future__ import annotations

import codecs
from email.message import Message

from streamapp.errors import BadDocument

__all__ = ["EMPTY", "NULS", "encoding_of", "is_text", "normalise_text", "not_in", "refuse_unknown"]

# Python's own codecs, which are no charsets: some give what is no text, some take quadratic time
PYTHONS = {"idna", "mbcs", "oem", "palmos", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

NULS = "The text holds NUL characters (U+0000); is it text at all?"
EMPTY = "The text is empty."


def is_text(media_type: str) -> bool:
    """Whether documents of this type are characters."""
    return media_type.startswith("text/")


def normalise_text(content: bytes, media_type: str) -> bytes:
    """The same text in UTF-8, by its byte order mark, its declared charset, or as the UTF-8 that it is.

    Raises `BadDocument`, in words for the sender.
    """
    encoding = encoding_of(content, media_type)
    refuse_unknown(encoding)
    try:
        text = content.decode(encoding)
        normal = text.encode("utf-8")  # UTF-7, for one, can spell half a surrogate pair
    except UnicodeError as error:
        raise not_in(encoding, str(error)) from error
    if "\0" in text:
        raise BadDocument(NULS)
    if not text.strip():
        raise BadDocument(EMPTY)
    return normal


def encoding_of(head: bytes, media_type: str) -> str:
    """What a text that begins like this is in. It may be a name that nobody knows."""
    marked = next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)
    return marked or _charset(media_type) or "utf-8"


def refuse_unknown(encoding: str) -> None:
    """Raise `BadDocument` for what is no charset."""
    try:
        if codecs.lookup(encoding).name.replace("-", "_") in PYTHONS:
            raise LookupError
        b"a".decode(encoding)  # a codec may be known and decode to no text
    except UnicodeError:
        pass  # it is a charset, if one in which this is nothing
    except (LookupError, ValueError) as error:
        raise BadDocument(f"The charset {encoding!r} is not known; send UTF-8.") from error


def not_in(encoding: str, why: str) -> BadDocument:
    """The refusal of bytes that are not what they are said to be."""
    return BadDocument(f"The text is not {encoding}: {why}. Send UTF-8, or name its charset in the type.")


def _charset(media_type: str) -> str | None:
    if ";" not in media_type:
        return None  # what Message would say too, but only after a while
    header = Message()
    header["Content-Type"] = media_type
    return header.get_content_charset()
