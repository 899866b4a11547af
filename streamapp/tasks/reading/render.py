"""The summary as people read it: plain text, an HTML fragment, and the same for programs."""

from __future__ import annotations

import html
import re
import textwrap
from typing import Any

from streamapp.tasks.reading.digest import ChapterDigest, Digest
from streamapp.tasks.reading.tone import Arc

__all__ = ["as_data", "as_html", "as_text"]

WIDTH = 72  # what the e-mail's text is wrapped at, so that it is not wrapped twice
EMPHASIS = re.compile(r"(?<!\w)_([^_<>]{1,300})_(?!\w)")

_WRAP = textwrap.TextWrapper(
    WIDTH, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False, break_long_words=False
)


def as_text(digest: Digest) -> str:
    """Each chapter's heading with its sentences. The title is the report's subject and not said again."""
    blocks = [_counts(digest)]
    for chapter in digest.chapters:
        heading = [f"{chapter.heading}\n{'-' * min(len(chapter.heading), WIDTH)}"] if chapter.heading else []
        blocks += heading + [_wrapped(digest.texts[index]) for index in chapter.chosen]
    return "\n\n".join(blocks) + "\n"


def as_html(digest: Digest) -> str:
    """The same as h2 and lists; everything from the document is escaped, ``_emphasis_`` becomes em."""
    parts = [f"<p><em>{_counts(digest)}</em></p>"]
    for chapter in digest.chapters:
        if chapter.heading:
            parts.append(f"<h2>{html.escape(chapter.heading)}</h2>")
        entries = "".join(f"<li>{_emphasised(digest.texts[index])}</li>" for index in chapter.chosen)
        parts.append(f"<ul>{entries}</ul>")
    return "\n".join(parts)


def as_data(digest: Digest, title: str, arc: Arc) -> dict[str, Any]:
    """Chapters with their sentences (index among all, tone), and the arc's figures; JSON types alone."""
    return {
        "title": title,
        "sentences": len(digest.texts),
        "chapters": [{"heading": chapter.heading, "summary": _entries(digest, chapter)} for chapter in digest.chapters],
        "arc": {"variance_ratio": round(arc.ratio, 4), "p": round(arc.p, 4), "mean_tone": round(arc.mean, 4)},
    }


def _entries(digest: Digest, chapter: ChapterDigest) -> list[dict[str, Any]]:
    return [
        {"index": index, "text": digest.texts[index], "tone": round(float(digest.tones[index]), 4)}
        for index in chapter.chosen
    ]


def _counts(digest: Digest) -> str:
    count, chosen = len(digest.texts), len(digest.chosen)
    noun = "sentence" if count == 1 else "sentences"
    return f"{chosen:,} of the text's {count:,} {noun}, in its own words and order."


def _wrapped(text: str) -> str:
    return _WRAP.fill(text)


def _emphasised(text: str) -> str:
    return EMPHASIS.sub(r"<em>\1</em>", html.escape(text))
