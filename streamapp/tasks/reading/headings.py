"""Is this line a heading? Asked of one line at a time; what the answers mean for the book, `chapters` decides."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

__all__ = ["Heading", "Kind", "heading_of", "is_title_like", "nice_case"]

LONGEST = 120
"""Characters of a heading at most."""

SMALL = (
    r"chapter|adventure|canto|scene|letter|stave|section|story|tale|episode|chap\.|kapitel|chapitre|cap[ií]tulo|capitolo"
    r"|hoofdstuk|глава|rozdział|luku"
)
BIG = r"part|book|volume|vol\.|act|teil|buch|band|partie|livre|tome|parte|libro|часть|книга"
ROMAN = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,4})"
TEENS = r"(?:thir|four|fif|six|seven|eigh|nine)teen"
DIGITS = r"one|two|three|four|five|six|seven|eight|nine"
UNITS = rf"{DIGITS}|ten|eleven|twelve"
TENS = rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:{DIGITS}))?"
ORDINALS = r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last"
NUMBER = rf"(?:\d{{1,3}}|{ROMAN}|{TENS}|{TEENS}|{UNITS}|{ORDINALS})"

WORD_AND_NUMBER = re.compile(
    rf"(?:the\s+)?(?P<word>{SMALL}|{BIG})\s+(?:the\s+)?{NUMBER}\b(?P<mark>\s*[.:)\u2013\u2014-]*)\s*(?P<rest>.*)",
    re.IGNORECASE,
)
NUMBER_AND_WORD = re.compile(rf"(?:the\s+)?(?:{ORDINALS})\s+(?P<word>{SMALL}|{BIG})[.:]?", re.IGNORECASE)
NUMBER_AND_TITLE = re.compile(rf"(?:{ROMAN}|\d{{1,3}})\s*[.:)\u2013\u2014-]\s+(?P<rest>\S.*)")
NUMBER_ALONE = re.compile(rf"[\u2013\u2014-]?\s*(?:{ROMAN}|\d{{1,3}})\s*\.?\s*[\u2013\u2014-]?")
NAMED = re.compile(
    r"(?:the\s+)?(?:prologue|epilogue|preface|foreword|introduction|afterword|conclusion|interlude|prelude|postscript)"
    r"(?P<rest>\s*[.:\u2013\u2014-]?\s*.*)",
    re.IGNORECASE,
)
MARKDOWN = re.compile(r"#{1,6}\s+(?P<rest>\S.*)")
CONTENTS = re.compile(
    r"(?:table of )?contents\.?|list of illustrations\.?|illustrations\.?|inhalt|table des matières", re.IGNORECASE
)
PAGE_NUMBER = re.compile(r"(?:\s?\.){3,}\s*\w{1,6}$|\s{3,}\d{1,4}$")
SENTENCE_END = re.compile(r"[.!?…][\"”’')\]_]*$")
SMALL_WORDS = re.compile(r"an?|and|as|at|by|des?|for|from|in|la|le|nor|of|on|or|the|to|und|von|with")
ROMAN_ALONE = re.compile(rf"{ROMAN}\W*")


class Kind(enum.Enum):
    """What a heading looks like."""

    CHAPTER = "a word such as chapter, and a number"
    PART = "a word such as part or book, and a number"
    TITLED = "a number and a title"
    NAMED = "a word such as prologue"
    MARKDOWN = "marked with #"
    NUMBER = "a number alone"
    CAPITALS = "all in capitals"
    CONTENTS = "the table of contents, or a line of it"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, and whether it lacks a title that may follow it."""

    kind: Kind
    text: str
    bare: bool = False


def heading_of(line: str) -> Heading | None:
    """What kind of heading a line (white space folded but for runs within it) is; None for prose."""
    text = line.strip().strip("_*=~").strip()
    if not text or len(text) > LONGEST:
        return None
    if CONTENTS.fullmatch(text) or PAGE_NUMBER.search(text):
        return Heading(Kind.CONTENTS, text)
    if found := MARKDOWN.fullmatch(text):
        inner = heading_of(found["rest"])
        return inner if inner and inner.kind is not Kind.CAPITALS else Heading(Kind.MARKDOWN, found["rest"])
    return _numbered(text) or _other(text)


def _numbered(text: str) -> Heading | None:
    if found := WORD_AND_NUMBER.fullmatch(text) or NUMBER_AND_WORD.fullmatch(text):
        kind = Kind.PART if re.fullmatch(BIG, found["word"], re.IGNORECASE) else Kind.CHAPTER
        parts = found.groupdict()
        rest, mark = parts.get("rest") or "", (parts.get("mark") or "").strip()
        if not rest:
            return Heading(kind, text, bare=True)
        return Heading(kind, text) if is_title_like(rest) and (mark or not SENTENCE_END.search(rest)) else None
    if NUMBER_ALONE.fullmatch(text):
        return Heading(Kind.NUMBER, text, bare=True)
    if (found := NUMBER_AND_TITLE.fullmatch(text)) and is_title_like(found["rest"]) and not SENTENCE_END.search(text):
        return Heading(Kind.TITLED, text)
    return None


def _other(text: str) -> Heading | None:
    if (found := NAMED.fullmatch(text)) and (
        not found["rest"].strip(" .:") or is_title_like(found["rest"].strip(" .:-"))
    ):
        return Heading(Kind.NAMED, text)
    if len(text) <= 60 and _is_shouted(text) and is_title_like(text) and not SENTENCE_END.search(text):
        return Heading(Kind.CAPITALS, text)
    return None


def _is_shouted(text: str) -> bool:
    """Three letters or more, and all of them capitals."""
    if not text.isupper():  # which is quick, and lets letters pass that are neither
        return False
    letters = [character for character in text if character.isalpha()]
    return len(letters) >= 3 and all(character.isupper() for character in letters)


def is_title_like(text: str) -> bool:
    """Whether it could be a title: short, begins like one, and most of its longer words are capitalised."""
    if (
        not text
        or len(text) > 90
        or text[-1] in ",;:-\u2014\u2013"
        or not (text[0].isupper() or text[0].isdigit() or text[0] in "“\"'‘")
    ):
        return False
    long_words = [word for word in re.findall(r"\w[\w'’-]*", text) if not SMALL_WORDS.fullmatch(word.lower())]
    return not long_words or sum(not word[0].islower() for word in long_words) * 2 > len(long_words)


def nice_case(text: str) -> str:
    """A heading for people: capitals only where a title has them, Roman numbers left alone, spaces folded."""
    words = text.strip().strip("_*=~").split()
    if any(character.islower() for character in text):
        return " ".join(words)
    return " ".join(
        _nice_word(word, first=place == 0 or words[place - 1][-1] in ".:\u2014") for place, word in enumerate(words)
    )


def _nice_word(word: str, *, first: bool) -> str:
    if ROMAN_ALONE.fullmatch(word) and word.strip(".:,") not in {"DID", "MIX", "CIVIL", "MILD"}:
        return word
    low = word.lower()
    if not first and SMALL_WORDS.fullmatch(low):
        return low
    return "-".join(
        part[:1].upper() + part[1:] if part[:1].isalpha() else part[:1] + part[1:2].upper() + part[2:]
        for part in low.split("-")
    )
