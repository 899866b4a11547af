"""From the lines on pages to paragraphs: what stands further off, is indented or follows a short line begins one.

Running heads and page numbers are known by being in the same place on a page nearby with the same words, numbers aside,
and no larger than the text: headings of short chapters would be taken for them.
A word cut at the end of a line is put together as it is written elsewhere in the book.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

__all__ = ["Line", "Paragraph", "paragraphs_of"]

EDGE: Final = 2  # lines at the top and at the bottom of a page that may be its furniture
NEAR: Final = 2  # pages: left and right ones differ
WIDER, INDENT, SHORT, LARGER = 1.3, 4.0, 0.75, 1.15
NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
TERMINAL = re.compile(r"[.!?…:][\"”’')\]_*]*$")
CUT = re.compile(r"(\w+)[-\u2010\u00ad]$")
WORD = re.compile(r"\w+(?:-\w+)*")
LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}


@dataclass(slots=True)
class Line:
    """A line, where it begins in points from the lower left of the page, and how large it is."""

    text: str = ""
    x: float = 0.0
    y: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, and the page, from 0, that it begins on."""

    text: str
    page: int


def paragraphs_of(pages: Sequence[Sequence[Line]]) -> list[Paragraph]:
    """The paragraphs of a book. One may go over the end of a page."""
    bodies = [list(_body(pages, number)) for number in range(len(pages))]
    words = {word.lower() for body in bodies for line in body for word in WORD.findall(line.text)}
    paragraphs: list[Paragraph] = []
    group: list[str] = []
    page, last = 0, None
    for number, body in enumerate(bodies):
        for line, begins in _begun(body, last):
            if group and (begins or _ended(group[-1], body)):
                paragraphs.append(Paragraph(_joined(group, words), page))
                group = []
            page = page if group else number
            group.append(" ".join(line.text.translate(LIGATURES).split()))
            last = line
    return [*paragraphs, Paragraph(_joined(group, words), page)] if group else paragraphs


def _body(pages: Sequence[Sequence[Line]], number: int) -> Iterator[Line]:
    """A page's lines without its furniture."""
    lines = pages[number]
    usual = median(line.size for line in lines) if lines else 0.0
    near = [page for page in range(number - NEAR, number + NEAR + 1) if page != number and 0 <= page < len(pages)]
    around = {_key(line) for page in near for line in _edges(pages[page])}
    edges = {id(line) for line in _edges(lines) if _key(line) in around and line.size < usual * LARGER}
    return (line for line in lines if id(line) not in edges)


def _edges(lines: Sequence[Line]) -> Sequence[Line]:
    ordered = sorted(lines, key=lambda line: line.y)
    return [*ordered[:EDGE], *ordered[-EDGE:]]


def _key(line: Line) -> tuple[str, int]:
    return NUMBER.sub("#", line.text.strip()), round(line.y / 4)


def _begun(lines: Sequence[Line], last: Line | None) -> Iterator[tuple[Line, bool]]:
    """Each line of a page, and whether a paragraph begins there by its looks; `last` is the one on the page before."""
    gaps = [above.y - below.y for above, below in pairwise(lines) if above.y > below.y]
    leading = median(gaps) if gaps else 0.0
    left = median(line.x for line in lines) if lines else 0.0
    before: Line | None = None
    for line in lines:
        begins = line.x > left + INDENT and not (before and abs(before.x - line.x) < 1.0)
        begins = begins or (before is not None and before.y - line.y > leading * WIDER)
        yield line, begins or _resized(before or last, line)
        before = line


def _resized(before: Line | None, line: Line) -> bool:
    """Whether it is larger or smaller than the line before, as a heading is."""
    return before is not None and not 1 / LARGER < max(line.size, 0.1) / max(before.size, 0.1) < LARGER


def _ended(last: str, lines: Sequence[Line]) -> bool:
    """Whether a line is the last of its paragraph: short, and the end of a sentence."""
    longest = max(len(line.text) for line in lines)
    return len(last) < longest * SHORT and TERMINAL.search(last) is not None


def _joined(lines: Sequence[str], words: set[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        cut, following = CUT.search(text), WORD.match(line)
        if cut is None or following is None or not line[0].islower():
            text = f"{text} {line}"
        elif f"{cut[1]}-{following[0]}".lower() in words and f"{cut[1]}{following[0]}".lower() not in words:
            text += line
        else:
            text = text[: cut.end(1)] + line
    return text
