"""A paragraph's sentences. Rules, no model: abbreviations, initials, quotations and ellipses, in linear time.

Whole sentences matter here more than short ones, so that a doubtful mark does not end one. What follows was written
for English and stays sensible elsewhere: an end mark before a space and something that is not lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["LONGEST", "sentences"]

LONGEST: Final = 2000
"""Characters. What is longer is cut at a pause: an item must stay small, and a reader would not finish it either."""

END = re.compile(r"[.!?…]+|[。！？।]+")
CLOSING: Final = "\"”’')]}»_*“‘«"
OPENING = re.compile(r"[\"“‘'(\[_*«„\u2014\u2013-]{0,8}")
BEFORE_NAMES = re.compile(
    r"mrs?|ms|mme|mlle|messrs|dr|st|prof|rev|hon|col|capt|lieut|lt|gen|sgt|serg|maj|adm|gov|sen|rep|pres|fr|mt|hr|fru"
    r"|e\.g|i\.e|cf|viz|vs|m",
    re.IGNORECASE,
)
BEFORE_NUMBERS = re.compile(
    r"nos?|pp?|vol|ch|chap|art|fig|sec|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.IGNORECASE
)
LABEL = re.compile(
    r"(?:figure|fig\.|table|chapter|part|book|plate|map|box|listing|example|exercise) [\dIVXLC]+(?:[.\u2013-]\d+)*",
    re.IGNORECASE,
)
INITIALS = re.compile(r"[A-ZÀ-ÞА-Я](?:\.[A-ZÀ-ÞА-Я])*")
SPEECH = re.compile(
    r"(?:I|[A-Z][\w.'’-]{0,30}(?: [A-Z][\w.'’-]{0,30}){0,3}) (?:said|cried|asked|replied|answered|exclaimed|shouted|"
    r"whispered|repeated|returned|remarked|continued|added|began|murmured|muttered|called|screamed|groaned|gasped|"
    r"sighed|laughed|thought|observed|inquired|demanded|ejaculated|roared|sobbed|shrieked)\b"
)
PAUSE = re.compile(r"[;:,\u2014]\s|\s")


def sentences(paragraph: str) -> Iterator[tuple[str, bool]]:
    """The sentences of a paragraph whose white space is folded, each with whether it is one: False for a mere piece."""
    cased = any(map(str.isupper, paragraph))
    start = 0
    for mark in END.finditer(paragraph):
        stop = _closed(paragraph, mark.end())
        if stop > start and _ends(paragraph, start, mark, stop, cased=cased):
            yield from _bounded(paragraph[start:stop])
            start = stop
    yield from _bounded(paragraph[start:])


def _closed(text: str, position: int) -> int:
    """Past the quotation marks and brackets that close after an end mark."""
    while position < len(text) and text[position] in CLOSING:
        position += 1
    return position


def _ends(text: str, start: int, mark: re.Match[str], stop: int, *, cased: bool) -> bool:
    """Whether a sentence ends at `stop`, behind this mark and what closes after it."""
    if mark.group()[0] in "。！？।":
        return True
    if stop >= len(text) or text[stop] != " ":
        return stop >= len(text)
    opening = OPENING.match(text, stop + 1)
    following = opening.end() if opening else stop + 1
    if following >= len(text) or (cased and text[following].islower()):
        return False
    if mark.group() == ".":
        return stop > mark.end() or not _abbreviates(text, start, mark.start(), following)
    return not _goes_on(text, start, mark, stop)


def _abbreviates(text: str, start: int, position: int, following: int) -> bool:
    """Whether the full stop at `position` belongs to an abbreviation, an initial, or the number of a thing."""
    word = text[max(0, position - 12) : position].rpartition(" ")[2].lstrip("\"“‘'([_*-\u2014")
    if INITIALS.fullmatch(word):
        return word != "I"
    begun = text[start : min(position, start + 40)].strip()  # a number or a label is shorter, and slices cost
    if (word.isdigit() and begun == word) or LABEL.fullmatch(begun):
        return True
    before_number = BEFORE_NUMBERS.fullmatch(word) and text[following].isdigit()
    return bool(BEFORE_NAMES.fullmatch(word) or before_number)


def _goes_on(text: str, start: int, mark: re.Match[str], stop: int) -> bool:
    """After a question or an exclamation: who said it, or an interjection within what is being said."""
    if any(closing in "\"”’'»" for closing in text[mark.end() : stop]):
        return SPEECH.match(text, stop + 1, stop + 140) is not None
    return mark.group() == "!" and stop - start <= 30 and text.count(" ", start, stop) <= 1


def _bounded(text: str) -> Iterator[tuple[str, bool]]:
    text = text.strip()
    whole = len(text) <= LONGEST
    while len(text) > LONGEST:
        pauses = [found.end() for found in PAUSE.finditer(text, LONGEST // 2, LONGEST)]
        strong = [place for place in pauses if text[place - 2] in ";:"]
        cut = (strong or pauses or [LONGEST])[-1]
        yield text[:cut].strip(), False
        text = text[cut:]
    if any(map(str.isalnum, text)):
        yield text.strip(), whole
