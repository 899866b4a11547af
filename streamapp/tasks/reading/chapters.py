"""Where a book's chapters begin, and what is no part of its prose: title page, contents, decorations, running heads.

Plain texts mark their structure in many ways and never say which. So every block that may be a heading is classed
first (`headings`), then the book as a whole tells which class its chapters have, then blocks are dealt out to chapters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from streamapp.book import Book, Chapter
from streamapp.tasks.reading.headings import Heading, Kind, heading_of, is_title_like, nice_case
from streamapp.tasks.reading.text import fold
from streamapp.tasks.reading.titlepage import is_byline, text_before, text_under

__all__ = ["Book", "Chapter", "read_book"]

WRAP = 120
"""Characters of a wrapped line at most; what is mostly longer has one paragraph per line."""
STUB = 200
"""Characters: a chapter with less, whose heading comes again, is a line of the contents."""
PAGES = 150
"""More numbers alone on their line than this are page numbers."""

TERMINAL = re.compile(r"[.!?…:][\"”’')\]_*]*$")
THE_END = re.compile(r"(?:the\s+)?end\W*|finis\W*|fin\W*|ende\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines without a blank one among them."""

    lines: Sequence[str]
    heading: Heading | None

    @property
    def text(self) -> str:
        return fold(" ".join(self.lines))


def read_book(text: str) -> Book:
    """Find the chapters of a cleaned text."""
    found = _without_contents(_blocks(text))
    title, blocks = _title(found)
    titled = bool(title and found[0].heading and found[0].heading.kind is Kind.MARKDOWN)
    chapter_kinds, part_kinds = _levels(blocks)
    chapters = [Chapter("")]
    part = ""
    pending = False
    for block in blocks:
        kind = block.heading.kind if block.heading else None
        if kind in part_kinds:
            part, pending = _name(block), False
        elif kind in chapter_kinds and block.heading:
            chapters.append(Chapter(" · ".join(filter(None, (part, _name(block))))))
            part, pending = "", block.heading.bare
        elif pending and len(block.lines) == 1 and not TERMINAL.search(block.text) and is_title_like(block.text):
            chapters[-1].heading = f"{chapters[-1].heading.rstrip('.:')}. {nice_case(block.text)}"
            pending = False
        elif kind not in (Kind.NUMBER, Kind.CONTENTS, *chapter_kinds) and not THE_END.fullmatch(block.text):
            chapters[-1].paragraphs.append(block.text)
            pending = False
    return Book(title, _real(chapters, titled=titled))


def _name(block: Block) -> str:
    """A heading for people; one that runs over lines gets a full stop between its number and its name."""
    first = heading_of(block.lines[0])
    if first and first.bare and len(block.lines) > 1:
        return f"{nice_case(first.text).rstrip('.:')}. {nice_case(' '.join(block.lines[1:]))}"
    return nice_case(block.heading.text if block.heading else block.text)


def _blocks(text: str) -> list[Block]:
    """Cut into paragraphs and headings; lines with no letter or digit count as blank."""
    lines = [line if any(map(str.isalnum, line)) else "" for line in text.split("\n")]
    groups = ([line] for line in lines if line) if _one_per_line(lines) else _paragraphs(lines)
    blocks: list[Block] = []
    for group in groups:
        head = heading_of(group[0])
        whole = heading_of(" ".join(group)) if 1 < len(group) <= 3 else None
        if len(group) == 1:
            blocks.append(Block(group, head))
        elif whole and (head and head.kind is whole.kind):
            blocks.append(Block(group, whole))
        elif head and head.kind in (Kind.CHAPTER, Kind.PART) and not _contents(group):
            blocks += [Block(group[:1], head), Block(group[1:], heading_of(group[1]) if len(group) == 2 else None)]
        else:
            blocks.append(Block(group, Heading(Kind.CONTENTS, group[0]) if _contents(group) else None))
    return blocks


def _paragraphs(lines: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for line in lines:
        head = heading_of(line) if len(line) < 40 else None
        alone = bool(head and head.bare and head.kind in (Kind.CHAPTER, Kind.PART))
        if group and (not line or (alone and TERMINAL.search(group[-1].rstrip()))):
            yield group
            group = []
        if line:
            group.append(line)
    if group:
        yield group


def _one_per_line(lines: Sequence[str]) -> bool:
    full = [line for line in lines if line]
    characters = sum(map(len, full))
    if sum(len(line) for line in full if len(line) > WRAP) * 2 > characters:
        return True
    return sum(1 for line in full if TERMINAL.search(line[-12:].rstrip())) * 10 >= len(full) * 7


def _contents(group: Sequence[str]) -> bool:
    """Three or more lines that are all headings, but for one that ran over."""
    others = (line for line in group if heading_of(line) is None)
    return len(group) >= 3 and len(list(islice(others, 2))) < 2  # of prose no more than two lines are looked at


def _without_contents(blocks: Sequence[Block]) -> list[Block]:
    """Drop contents that come as one block; only before the prose begins, since a list may be prose later."""
    kept: list[Block] = []
    prose = False
    for block in blocks:
        prose = prose or (block.heading is None and len(block.text) > STUB)
        is_list = block.heading is not None and block.heading.kind is Kind.CONTENTS
        if not is_list:
            kept.append(block)
        elif prose and len(block.lines) > 1:
            kept.append(Block(block.lines, None))
    return kept


def _title(blocks: list[Block]) -> tuple[str, list[Block]]:
    """The title if the first block is one, and the blocks after it and after who wrote it."""
    titled = (None, Kind.CAPITALS, Kind.MARKDOWN)
    if len(blocks) < 2 or (blocks[0].heading.kind if blocks[0].heading else None) not in titled:
        return "", blocks
    first = blocks[0]
    line = fold(first.heading.text if first.heading else first.lines[0])
    if len(first.lines) > 4 or TERMINAL.search(line) or not is_title_like(line):
        return "", blocks
    rest = blocks[1:]
    if is_byline(rest[0].text):
        alone = rest[0].text.lower() == "by"
        rest = rest[2:] if alone else rest[1:]
    return nice_case(line), rest


def _levels(blocks: Sequence[Block]) -> tuple[frozenset[Kind], frozenset[Kind]]:
    """Which kinds of heading begin a chapter here, and which a part above the chapters."""
    count = Counter(block.heading.kind for block in blocks if block.heading)
    numbers = count[Kind.NUMBER] if count[Kind.NUMBER] <= PAGES else 0
    if count[Kind.CHAPTER] or count[Kind.TITLED] >= 2:
        return frozenset({Kind.CHAPTER, Kind.TITLED, Kind.NAMED}), frozenset({Kind.PART})
    if count[Kind.PART]:
        if numbers >= 2 * count[Kind.PART]:
            return frozenset({Kind.NUMBER, Kind.NAMED}), frozenset({Kind.PART})
        return frozenset({Kind.PART, Kind.NAMED}), frozenset()
    candidates = ((Kind.NUMBER, numbers), (Kind.MARKDOWN, count[Kind.MARKDOWN]), (Kind.NAMED, count[Kind.NAMED]))
    for kind, times in candidates:
        if times >= 2:
            return frozenset({kind, Kind.NAMED}), frozenset()
    letters = sum(len(block.text) for block in blocks)
    shouted = sum(len(block.text) for block in blocks if block.text.isupper())
    if count[Kind.CAPITALS] >= 2 and shouted * 4 < letters:
        return frozenset({Kind.CAPITALS}), frozenset()
    return frozenset(), frozenset()


def _real(chapters: Sequence[Chapter], *, titled: bool) -> list[Chapter]:
    """Without lines of the contents, and without a title page; `titled`: the title is marked as a heading."""
    last = {chapter.heading: place for place, chapter in enumerate(chapters)}
    opening, *others = chapters
    kept = [
        chapter
        for place, chapter in enumerate(others, start=1)
        if chapter.paragraphs and (last[chapter.heading] == place or sum(map(len, chapter.paragraphs)) >= STUB)
    ]
    if kept:
        later = [chapter.paragraphs[0] for chapter in kept]
        opening.paragraphs = text_under(opening.paragraphs) if titled else text_before(opening.paragraphs, later)
    return [opening, *kept] if opening.paragraphs else kept
