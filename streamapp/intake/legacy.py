"""The old intake's path: any JSON object becomes a job, and the answer is the one that old clients know.

What the object names is used (task, text, document with media_type, params, email) when it is right; where it names
nothing, or nothing that can be used, the settings' defaults hold. Without a text of its own, all the words in the
object are the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from streamapp.intake.refusal import Refused
from streamapp.intake.submission import Submission
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry

__all__ = ["ANSWER", "legacy_submission"]

ANSWER = {"message": "You will receive an email in a short while with the plot", "status": "Pass"}


def legacy_submission(fields: Mapping[str, Any], settings: Settings, registry: Registry) -> Submission:
    """The job that an old client means."""
    task = fields.get("task")
    chosen: dict[str, Any] = {
        "task": task if isinstance(task, str) and task in registry else settings.default_task,
        "email": settings.mail_to,
    }
    for name in ("email", "name", "params", "document", "media_type"):
        if name in fields and _fits(name, fields[name]):
            chosen[name] = fields[name]
    if "document" in chosen and "media_type" in chosen:
        submission = Submission.model_validate(chosen)
        if _usable(submission):
            return submission
    chosen.pop("document", None)
    chosen.pop("media_type", None)
    text = fields.get("text")
    return Submission.model_validate({**chosen, "text": text if _fits("text", text) else _words_of(fields)})


def _fits(name: str, value: Any) -> bool:
    try:
        Submission.model_validate({"task": "any", name: value})
    except ValidationError:
        return False
    return value is not None


def _usable(submission: Submission) -> bool:
    try:
        return bool(submission.content()[0])
    except Refused:
        return False


def _words_of(fields: Mapping[str, Any]) -> str:
    words = "\n\n".join(text for text in _texts(fields) if text.strip()).replace("\0", "")
    return words if words.strip() else json.dumps(fields, ensure_ascii=False)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
