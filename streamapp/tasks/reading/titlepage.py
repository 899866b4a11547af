"""What stands before a book's first chapter: its title page is left out, its text is kept.

A title page's lines are short and end like no sentence, or say what title pages say: who wrote, made and owns the book,
where and when. Whole sentences are text wherever they stand, however short they are. What has a heading directly above
it is that heading's text, with or without sentences; only the lines that title pages have are taken from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import dropwhile

from streamapp.tasks.reading.headings import is_title_like

__all__ = ["is_byline", "text_before", "text_under"]

SHORT = 200
"""Characters of a line of a title page at most."""

# A colon, or a dash where somebody is interrupted, ends a sentence of a story as well.
SENTENCE_END = re.compile(r"(?:[.!?…:。！？।]|(?:\u2014|--)(?=[\"”’'»]))[\"”’')\]»」』）_*]*$")
BY = re.compile(r"by\b.{0,80}", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]+")

# fmt: off
NAME = r"(?:[A-ZÀ-ÞА-Я][\w.'’-]*|and|&|of|the|de|du|van|von|der|la|le)"
NAMES = rf"{NAME}(?:,? {NAME}){{0,11}}"
YEAR = r"(?:1[4-9]|20)\d\d|M[DCLXVI]{3,}"
MONTH = (
    r"(?:jan|febr)uary|march|april|may|june|july|august|(?:septem|octo|novem|decem)ber"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\."
)
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
SINCE = r"(?:last )?(?:updated|published|posted|printed|modified)(?: on| in)?:? "
CITY = r"london|new york|boston|philadelphia|chicago|edinburgh|oxford|cambridge|dublin|toronto|paris|berlin|leipzig"
FIRM = (
    r"Publishers?|Publishing|Press|Books|& Co|and Co|& Company|and Company|& Sons|and Sons|Ltd|Limited|Inc"
)
KNOWN = re.compile(
    "|".join((
        rf"(?i:(?:\w+ (?:and \w+ )?)?by):? {NAMES}",
        r"(?i:by|a novel|a story|a tale|a romance)",
        rf"(?i:(?:{SINCE})?(?:\w+day,? )?(?:{DAY} )?(?:(?:{MONTH}) )?(?:{DAY},? )?(?:{YEAR}))",
        r"\d{4}-\d\d-\d\d",
        rf"(?i:copyright|\(c\)|©)(?i:\W|copyright|\(c\)|by)*(?:{YEAR}|{NAMES}).{{0,120}}",
        r"(?i:all rights reserved\b.{0,160})",
        r"(?i:(?:e-?)?isbn\b.{0,60})",
        rf"(?i:{CITY})(?: (?i:and|&) (?i:{CITY}))?(?:[:,] ?(?:{NAMES})?)?(?:,? (?:{YEAR}))?",
        rf"{NAMES},? (?:{YEAR})",
        rf"(?:{NAME},? )+(?:{FIRM})(?:\.?,? (?:{YEAR}))?",
        rf"(?i:first published)(?: in)? (?:{YEAR})(?: by {NAMES})?",
        rf"(?i:printed in)(?: the)? {NAMES}",
        r"(?i:(?:\w+ ){1,3}edition)",
        r"(?i:in \w+ (?:volumes|parts))",
        r"(?i:with (?:\w+ ){0,3}illustrations(?: by .{1,60})?|illustrated)",
        r"(?i:transcriber[’']s notes?\b.{0,160})",
    ))
)
# fmt: on


def text_before(opening: Sequence[str], later: Sequence[str]) -> list[str]:
    """Those paragraphs of an opening without a heading that are text; `later` are the first ones of the chapters.

    Once the text has begun, its lines that are no sentence are kept too, but for those that look like titles.
    """
    shouted = bool(later) and all(map(str.isupper, later))  # then capitals tell nothing
    kept: list[str] = []
    for text in opening:
        if _is_known(text) or (text.isupper() and not shouted and is_title_like(text)):
            continue
        if _is_sentence(text) or (kept and not is_title_like(text)):
            kept.append(text)
    return kept


def text_under(paragraphs: Sequence[str]) -> list[str]:
    """Those that are text of the ones under the book's title, where that is a heading above them in the file.

    Where they begin as on a title page, what looks like titles there is left out as well: a name after "by", contents.
    """
    page = bool(paragraphs) and _is_known(paragraphs[0])
    return list(dropwhile(lambda text: page and (_is_known(text) or _is_label(text)), paragraphs))


def is_byline(text: str) -> bool:
    """Whether this line after a title says who wrote it, and is no sentence that begins with "by"."""
    return BY.fullmatch(text) is not None and (_is_known(text) or not SENTENCE_END.search(text))


def _is_sentence(text: str) -> bool:
    """Whether it is one or more, or too long for a line of a title page, and no list of titles on one line."""
    if len(text) > SHORT and not _is_capitalised(text):
        return True
    return SENTENCE_END.search(text) is not None and not (text[-1] == ":" and is_title_like(text[:-1]))


def _is_label(text: str) -> bool:
    return not _is_sentence(text) and (is_title_like(text) or _is_capitalised(text))


def _is_capitalised(text: str) -> bool:
    """Whether most words are."""
    words: list[str] = WORD.findall(text)
    return sum(word[0].isupper() for word in words) * 2 > len(words)


def _is_known(text: str) -> bool:
    return len(text) <= SHORT and KNOWN.fullmatch(text.strip(" .:_*")) is not None
