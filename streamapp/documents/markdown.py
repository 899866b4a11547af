"""Markdown as the HTML that it is short for: chapters are then found, and scripts left out, as in a page.

It is CommonMark (https://spec.commonmark.org/0.31.2) with GitHub's tables, task lists, alerts and struck out text. Many
tools put a header in YAML before it, between lines of three hyphens; of that the title is kept. Code and tables are
left out: they hold no sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType

from streamapp.errors import BadDocument

__all__ = ["first_words_of", "html_of", "title_in"]

DEEPEST: Final = 100  # lists count twice; what is deeper the parser would leave out, and the stack holds a few hundred
# a key, then keys, comments, lists and what is indented: no line may be two of these, or there were two ways at each
HEADER: Final = re.compile(
    r"---[ \t]*\r?\n(?P<said>\w[\w-]*:.*\n(?:(?:\w[\w-]*:|[ \t#-]|\r?$).*\n)*?)(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE
)
TITLE: Final = re.compile(r"^title:[ \t]+(?P<title>\S.*)", re.MULTILINE)
SHOWN: Final = ("text", "code_inline")
INDENTED: Final = "code_block"
TEXTS: Final = ("paragraph_open", "html_block", INDENTED)
LEFT: Final = (*SHOWN, "softbreak", "hardbreak")

# two, so that what is within the paragraphs is parsed, written and forgotten one by one: a third of the memory
INLINE: Final = MarkdownIt("gfm-like2", {"linkify": False})
BLOCKS: Final = MarkdownIt("gfm-like2", {"linkify": False, "maxNesting": DEEPEST})
BLOCKS.core.ruler.enableOnly(["normalize", "block"])


def html_of(text: str) -> str:
    """What its prose is in HTML, with what HTML there is in it. Raises `BadDocument` where it is too deep."""
    env: EnvType = {}
    blocks = _blocks(text, env)
    if any(block.level >= DEEPEST - 1 for block in blocks):
        raise BadDocument("The Markdown has too many lists or quotations within each other.")
    return "".join(_written(block, env) for block in _prose(blocks))


def title_in(text: str) -> str:
    """The title in its header; empty where there is none."""
    header = HEADER.match(text)
    found = TITLE.search(header["said"]) if header else None
    return found["title"].strip().strip("\"'") if found else ""


def first_words_of(text: str) -> str:
    """The first heading or paragraph, as a reader sees it; empty where there is none."""
    env: EnvType = {}
    shown = (_shown(token.content, env) for token in _prose(_blocks(text, env)) if token.type == "inline")
    return next(filter(str.strip, shown), "")


def _blocks(text: str, env: EnvType) -> list[Token]:
    header = HEADER.match(text)
    return BLOCKS.parse(text[header.end() :] if header else text, env)


def _prose(blocks: Sequence[Token]) -> Sequence[Token]:
    """Without code and tables, unless there is nothing else.

    What is indented is code by the letter, and in many a book it is how paragraphs begin: where it is the greater part,
    it is prose.
    """
    indented = sum(len(block.content) for block in blocks if block.type == INDENTED)
    words = sum(len(block.content) for block in blocks if block.type == "inline")
    code = ("fence",) if indented > words else ("fence", INDENTED)
    left = [block for block in _outside_tables(blocks) if block.type not in code]
    return left if any(block.type in TEXTS for block in left) else blocks


def _outside_tables(blocks: Iterable[Token]) -> Iterator[Token]:
    within = False
    for block in blocks:
        within = block.type == "table_open" or (within and block.type != "table_close")
        if not within and block.type != "table_close":
            yield block


def _written(token: Token, env: EnvType) -> str:
    if token.type == "inline":
        return str(INLINE.renderInline(token.content, env))
    return str(INLINE.renderer.render([token], INLINE.options, env))


def _shown(content: str, env: EnvType) -> str:
    (inline,) = INLINE.parseInline(content, env)
    return "".join(each.content if each.type in SHOWN else " " for each in inline.children or () if each.type in LEFT)
