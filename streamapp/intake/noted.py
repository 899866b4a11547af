"""What the intake notes of a submission beside its fields: a name, and the hashes by which the same is known again."""

from __future__ import annotations

import asyncio
import json
import re
from typing import NamedTuple

from streamapp.documents.kinds import MARKDOWN
from streamapp.documents.markdown import first_words_of, title_in
from streamapp.documents.text import is_markup, is_text, title_of
from streamapp.elsewhere import Elsewhere
from streamapp.identity import Pieced, digest
from streamapp.intake.content import Content
from streamapp.intake.submission import Submission
from streamapp.jobs import memory
from streamapp.tasks.contract import Task

__all__ = ["Hashes", "first_words", "hashes_of"]

HEADING = re.compile(r"^#{1,6} (?=.)")  # Markdown comes as plain text where nobody says what it is
SORTED = json.JSONEncoder(sort_keys=True)


def first_words(content: bytes, media_type: str) -> str | None:
    """What a text is called that nobody named, by how it begins; None for what is no text."""
    if not is_text(media_type):
        return None
    lines = _beginnings(content[:2000].decode("utf-8", "ignore"), media_type)
    first = next((line for line in map(_shown, lines) if line), "")
    return (first if len(first) <= 80 else first[:79].rstrip() + "…") or None


def _beginnings(text: str, media_type: str) -> list[str]:
    if is_markup(media_type):
        return [title_of(text)]
    if media_type == MARKDOWN:
        return [title_in(text) or first_words_of(text)]
    return text.split("\n")


def _shown(line: str) -> str:
    words = HEADING.sub("", " ".join(line.split()))
    return words if words.isprintable() else "".join(letter for letter in words if letter.isprintable())


class Hashes(NamedTuple):
    """Of the body, to know a repeat by; of the work and the document, to know the same work by (`jobs.memory`)."""

    body: str
    work: str | None
    content: str | None


async def hashes_of(
    task: Task, params: str, submission: Submission, content: Content, elsewhere: Elsewhere = asyncio.to_thread
) -> Hashes:
    """All of them; elsewhere, where the document has to be read for them."""

    def compute() -> Hashes:
        return Hashes(
            _body_hash(submission, params, content.hashed, content.media_type),
            memory.work_hash(task, params, content.hashed, content.media_type),
            memory.content_hash(task, content.hashed, content.media_type),
        )

    return compute() if content.reference is None else await elsewhere(compute)


def _body_hash(submission: Submission, params: str, content: bytes | Pieced, media_type: str) -> str:
    rest = submission.model_dump(mode="json", include={"name", "email", "priority", "deadline"})
    if submission.fresh:  # else what was accepted before there was this field would be another body; so below
        rest["fresh"] = True
    if submission.webhook is not None:
        rest["webhook"] = submission.webhook
    return digest(submission.task, params, media_type, content, SORTED.encode(rest))
