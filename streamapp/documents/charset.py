"""Which charset bytes are in: what they are marked with, what is declared, UTF-8, or what they most likely are.

The guess is charset-normalizer's, on the lines that are not ASCII, among the charsets that files really are in; it
takes milliseconds. It is made only where nothing is declared, and what it names must fit every byte.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from charset_normalizer import from_bytes

from streamapp.errors import BadDocument

__all__ = [
    "declared_in_markup",
    "decode_text",
    "decoded_markup",
    "guess_of",
    "marked_as",
    "not_in",
    "refuse_unknown",
    "seems_text",
]

# Python's own codecs, which are no charsets: some give what is no text, some take quadratic time
PYTHONS = {"idna", "mbcs", "oem", "palmos", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# the earlier one is meant where a text is the same in several
LIKELY: Final = (
    *("cp1252", "iso8859_2", "cp1250", "cp1255", "cp1251", "cp1253", "cp1254", "cp1256", "cp1257"),
    *("koi8_r", "mac_roman", "cp866", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
NOT_ASCII = re.compile(rb"[\x80-\xff]")
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")  # no text in any of the above has them; DOS ends in 0x1a
BEFORE, LONGEST_LINE = 200, 16 * 1024
WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
ENOUGH, SAMPLE = 32, 8192
CLUTTER: Final = 0.3

META = re.compile(rb"<meta[^>]{1,300}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
XML = re.compile(rb"^\s*<\?xml[^>]{1,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
LOOKED_AT: Final = 2048
# what pages in these say, and browsers take them for (WHATWG, Encoding, 4.2)
MEANT: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "utf-16": "utf-8", "utf-16-le": "utf-8", "utf-16-be": "utf-8"}


def decode_text(content: bytes, declared: str | None) -> str:
    """The text by its byte order mark, its declared charset, as UTF-8, or as it most likely is.

    Raises `BadDocument`.
    """
    marked = marked_as(content)
    encoding = marked or declared or "utf-8"
    refuse_unknown(encoding)
    try:
        return _unicode(content.decode(encoding))
    except UnicodeError as error:
        guessed = None if marked or declared else _guess(content)
        if guessed is not None:
            return guessed
        raise not_in(encoding, str(error)) from error


def marked_as(head: bytes) -> str | None:
    """The charset of the byte order mark that a text begins with; None without one."""
    return next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)


def seems_text(head: bytes) -> bool:
    """Whether what begins like this is text in some charset, by its mark, or as it most likely is."""
    if marked_as(head):
        return True
    if CONTROLS.search(head):
        return False
    sample = _sample(head.rpartition(b"\n")[0] or head)  # a character may be cut in two at the end
    return not sample or bool(_likely(sample))


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


def decoded_markup(content: bytes, declared: str | None) -> str:
    """The same for HTML and XHTML, which may also say it themselves. What is wrongly declared is read as it is."""
    for encoding in filter(None, (declared, declared_in_markup(content))):
        with suppress(BadDocument):
            return decode_text(content, encoding).removeprefix("\ufeff")
    return decode_text(content, None).removeprefix("\ufeff")


def declared_in_markup(content: bytes) -> str | None:
    """The charset that a page names at its beginning, None where it names none that it could be in."""
    head = content[:LOOKED_AT]
    found = XML.search(head) or META.search(head)
    if found is None:
        return None
    name = found[1].decode("ascii", "replace")
    try:
        return MEANT.get(codecs.lookup(name).name, name)
    except (LookupError, ValueError):
        return None


def guess_of(pieces: Iterable[bytes]) -> str | None:
    """What a text most likely is in that is too long to be held, by the first of it that is not ASCII."""
    sample = b""
    for piece in pieces:
        sample += _sample(piece)
        if len(sample) >= SAMPLE:
            break
    return next(iter(_likely(sample)), None)


def _guess(content: bytes) -> str | None:
    for name in _likely(_sample(content)):
        try:
            return _unicode(content.decode(name))
        except UnicodeError:
            continue
    return None


def _likely(sample: bytes) -> list[str]:
    """Charsets that a text may be in, the likeliest first."""
    if len(sample) < ENOUGH:
        return []
    found = {
        name: (round(match.chaos, 2), -round(match.coherence, 2))
        for match in reversed(list(from_bytes(sample, cp_isolation=list(LIKELY), threshold=CLUTTER)))
        for name in {match.encoding, *match.could_be_from_charset}
        if name in LIKELY
    }
    if "iso8859_2" in found and not WINDOWS_ONLY.search(sample):
        found.pop("cp1250", None)  # Polish, Czech and Hungarian have letters there in it
    return sorted(found, key=lambda each: (found[each], LIKELY.index(each)))


def _sample(content: bytes) -> bytes:
    """Each byte that is not ASCII, with what stands before it and the rest of its line; some thousands are enough."""
    parts: list[bytes] = []
    end = size = 0
    while size < SAMPLE and (found := NOT_ASCII.search(content, end)):
        start = max(end, found.start() - BEFORE)
        most = found.start() + LONGEST_LINE
        end = content.find(b"\n", found.start(), most) + 1 or content.rfind(b" ", found.end(), most) + 1 or most
        parts.append(content[start:end])
        size += end - start
    return b"".join(parts)


def _unicode(text: str) -> str:
    """The same; raises UnicodeError for half a surrogate pair, which UTF-7, for one, can spell."""
    text.encode("utf-8")
    return text
