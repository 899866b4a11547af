"""Plain text as tasks get it: UTF-8 without a byte order mark."""

from __future__ import annotations

import codecs
from email.message import Message

from streamapp.errors import BadDocument

__all__ = ["is_text", "normalise_text"]

# Python's own codecs, which are no charsets: some give what is no text, some take quadratic time
PYTHONS = {"idna", "mbcs", "oem", "palmos", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def is_text(media_type: str) -> bool:
    """Whether documents of this type are characters."""
    return media_type.startswith("text/")


def normalise_text(content: bytes, media_type: str) -> bytes:
    """The same text in UTF-8, by its byte order mark, its declared charset, or as the UTF-8 that it is.

    Raises `BadDocument`, in words for the sender.
    """
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    encoding = marked or _charset(media_type) or "utf-8"
    try:
        if codecs.lookup(encoding).name.replace("-", "_") in PYTHONS:
            raise LookupError
        text = content.decode(encoding)
        normal = text.encode("utf-8")  # UTF-7, for one, can spell half a surrogate pair
    except UnicodeError as error:
        raise BadDocument(
            f"The text is not {encoding}: {error}. Send UTF-8, or name its charset in the type."
        ) from error
    except (LookupError, ValueError) as error:
        raise BadDocument(f"The charset {encoding!r} is not known; send UTF-8.") from error
    if "\0" in text:
        raise BadDocument("The text holds NUL characters (U+0000); is it text at all?")
    if not text.strip():
        raise BadDocument("The text is empty.")
    return normal


def _charset(media_type: str) -> str | None:
    if ";" not in media_type:
        return None  # what Message would say too, but only after a while
    header = Message()
    header["Content-Type"] = media_type
    return header.get_content_charset()
