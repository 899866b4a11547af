"""The old intake's path: any JSON object becomes a job, and the answer is the one that old clients know.

What the object names is used (task, text, document with media_type, params, email, name), and is refused as on
`/v1/jobs` where it is wrong: a mail to a misspelt address would else go to the one in the settings, which is somebody
else's. Where it names nothing, or null, the settings' defaults hold. Without a text or document of its own, all the
words in the object are the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streamapp.intake.jsontext import parse_value
from streamapp.intake.refusal import unicode_only
from streamapp.intake.submission import Submission, parse_submission
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry

__all__ = ["ANSWER", "legacy_submission"]

ANSWER = {"message": "You will receive an email in a short while with the plot", "status": "Pass"}
USED = ("task", "text", "document", "media_type", "params", "email", "name")


def legacy_submission(fields: Mapping[str, Any], settings: Settings, registry: Registry) -> Submission:
    """The job that an old client means. Raises `Refused` for what it names and is wrong."""
    named = {name: fields[name] for name in USED if fields.get(name) is not None}
    if isinstance(named.get("text"), str):
        named["text"] = unicode_only(named["text"])
    if "params" in named:  # here as strict as elsewhere: they are stored and written again
        named["params"] = parse_value(json.dumps(named["params"]).encode(), "params")
    if "text" not in named and "document" not in named:
        named["text"] = _words_of(fields)
    return parse_submission({"task": settings.default_task, "email": settings.mail_to, **named}, registry)


def _words_of(fields: Mapping[str, Any]) -> str:
    words = _clean("\n\n".join(text for text in _texts(fields) if _clean(text)))
    return words or _clean(json.dumps(fields, ensure_ascii=False))


def _clean(text: str) -> str:
    """The text without what no document may hold; blank text becomes empty."""
    return unicode_only(text).replace("\0", "").replace("\ufeff", "").strip()


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, in its order; without recursion, however deep it is."""
    stack = [value]
    while stack:
        inner = stack.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, Mapping):
            stack.extend(reversed(list(inner.values())))
        elif isinstance(inner, list):
            stack.extend(reversed(inner))
