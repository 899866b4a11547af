"""From headings and paragraphs in a row to a book: which level of heading its chapters have, and which its parts.

A file says of each heading how deep it is and never what it is. The chapters are the highest level that comes more than
once, but for one whose headings mostly stand directly before deeper ones: those are parts, and the chapters are below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamapp.book import Book, Chapter
from streamapp.documents.limits import Budget, Limits
from streamapp.errors import BadDocument

__all__ = ["Block", "to_book"]

DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (level 0), or a heading of level 1 and deeper; `anchors` are the names that links know it by."""

    text: str
    level: int = 0
    anchors: tuple[str, ...] = ()


def to_book(blocks: Iterable[Block], title: str, kind: str, limits: Limits) -> Book:
    """The book in these blocks. Raises `BadDocument` where there is no text or too much; `kind` is what it came in."""
    budget = Budget(limits.text, f"The text in this {kind} has")
    kept = list(_counted(blocks, budget))
    if not any(block.level == 0 and any(map(str.isalnum, block.text)) for block in kept):
        raise BadDocument(f"There is no text in this {kind}.")
    level = _chapter_level(kept)
    first = next((place for place, block in enumerate(kept) if block.level), None)
    if first is not None and kept[first].level < level and _is_alone(kept, first):
        title = title or kept[first].text
        if not _has_text(kept, first):
            del kept[first]
    return Book(title, [chapter for chapter in _chapters(kept, level) if chapter.paragraphs])


def _counted(blocks: Iterable[Block], budget: Budget) -> Iterator[Block]:
    for block in blocks:
        budget.spend(len(block.text.encode("utf-8", "replace")) + 2)
        if block.text.strip():
            yield block


def _is_alone(blocks: Sequence[Block], place: int) -> bool:
    """Whether no other heading is as high as this one."""
    return sum(block.level == blocks[place].level for block in blocks) == 1


def _has_text(blocks: Sequence[Block], place: int) -> bool:
    """Whether there is text under the title before the next heading: then it is a chapter of that name."""
    following = blocks[place + 1 :]
    return not following[0].level and any(block.level for block in following)


def _chapter_level(blocks: Sequence[Block]) -> int:
    """The level of the chapters' headings; one below the deepest when no level comes more than once."""
    levels = sorted({block.level for block in blocks if block.level})
    repeated = [level for level in levels if sum(block.level == level for block in blocks) > 1]
    for place, level in enumerate(repeated):
        if place + 1 == len(repeated) or not _are_parts(blocks, level):
            return level
    return DEEPEST + 1


def _are_parts(blocks: Sequence[Block], level: int) -> bool:
    """Whether half and more of the headings of that level stand directly before a deeper one."""
    pairs = [(block, following) for block, following in pairwise(blocks) if block.level == level]
    return sum(following.level > level for _, following in pairs) * 2 >= len(pairs) > 1


def _chapters(blocks: Iterable[Block], level: int) -> Iterator[Chapter]:
    """The chapters. What stands above them is a part: named before its first chapter, or a chapter if it has text."""
    chapter, part = Chapter(""), ""
    for block in blocks:
        if 0 < block.level < level:
            part = block.text
        elif block.level == level or (part and not block.level):
            yield chapter
            chapter = Chapter(" · ".join(filter(None, (part, block.text if block.level else ""))))
            part = ""
        if not block.level:
            chapter.paragraphs.append(block.text)
    yield chapter
