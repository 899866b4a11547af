"""Text from strangers made fit for a mail: no header can be broken open by it, and no byte of it can't be sent.

File names and the first words of a text reach a mail's subject and file names. Python's header classes refuse CR and
LF, which would turn a hostile name into a mail that can never be sent; cleaning it first lets the mail go out.
"""

from __future__ import annotations

import re
import textwrap

__all__ = ["clean_line", "clean_text", "file_name", "wrap"]

WIDTH = 72  # RFC 3676, 4.2, asks for lines of 78 at most; this leaves room for being quoted
SIGNATURE = "-- "  # RFC 3676, 4.3: what follows is no part of the text; the blank belongs to it
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # Unicode's category Cc, without tab and LF
BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # Cc, Zl and Zp
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings and overrides: a name could show as another one
BULLET = re.compile(r"\s*(?:(?:[-*\u2022\u2013]|\d{1,4}[.)])\s+)?")


def clean_text(text: str) -> str:
    """Text with LF line ends, without control characters but tab and LF, and with U+FFFD for lone surrogates."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return CONTROL.sub("", whole)


def clean_line(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters, for a header or a file name: whatever breaks a line is a space."""
    line = " ".join(BIDI.sub("", clean_text(BREAKS.sub(" ", text))).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def file_name(name: str, default: str) -> str:
    """A name that is safe to save under on every system: no folders, no leading dots, at most 100 characters."""
    line = re.sub(r'[\\/:*?"<>|]+', "-", clean_line(name, 4000)).strip(" .-")
    stem, dot, suffix = line.rpartition(".")
    if dot and len(suffix) <= 10:
        line = f"{stem[: 99 - len(suffix)]}.{suffix}"
    return line[:100] or default


def wrap(text: str) -> str:
    """Lines of at most 72 characters; a list's lines hang below its text, and long words (addresses) stay whole."""
    return "\n".join(part for line in text.split("\n") for part in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line if line == SIGNATURE else line.rstrip()]
    lead = BULLET.match(line)
    start = lead.group() if lead and len(lead.group()) < WIDTH // 2 else ""
    return textwrap.wrap(
        line[len(start) :],
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
