"""The old intake's path: any JSON object becomes a job, and the answer is the one that old clients know.

What the object names is used (task, text, document with media_type, params, email) when it is right; where it names
nothing, or nothing that can be used, the settings' defaults hold. Without a text of its own, all the words in the
object are the text. One thing is refused: an address that is none, since its mail would go to the settings' address,
which is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from streamapp.intake.checks import checked_content, checked_params
from streamapp.intake.refusal import Refused, unicode_only
from streamapp.intake.submission import Submission, parse_submission
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry

__all__ = ["ANSWER", "legacy_submission"]

ANSWER = {"message": "You will receive an email in a short while with the plot", "status": "Pass"}


def legacy_submission(fields: Mapping[str, Any], settings: Settings, registry: Registry) -> Submission:
    """The job that an old client means. Raises `Refused` for an e-mail address that is none, and for nothing else."""
    named = fields.get("task")
    task = registry[named if isinstance(named, str) and named in registry else settings.default_task]
    chosen: dict[str, Any] = {"task": task.name, "email": _address(fields.get("email")) or settings.mail_to}
    if _fits("name", fields.get("name")):
        chosen["name"] = fields["name"]
    if _holds(lambda: checked_params(task, _object(fields.get("params")))):
        chosen["params"] = fields["params"]
    for document in ({name: fields.get(name) for name in ("document", "media_type")}, {"text": fields.get("text")}):
        if all(_fits(name, value) for name, value in document.items()):
            submission = Submission.model_validate({**chosen, **document})
            if _holds(lambda: checked_content(task, submission)):  # noqa: B023 - called at once
                return submission
    return Submission.model_validate({**chosen, "text": _words_of(fields)})


def _address(email: Any) -> str | None:
    """The address, if it is meant as one. Raises `Refused` for one that is none."""
    if not isinstance(email, str) or not email.strip():
        return None
    return parse_submission({"task": "any", "email": email}).email


def _fits(name: str, value: Any) -> bool:
    return value is not None and _holds(lambda: Submission.model_validate({"task": "any", name: value}))


def _holds(check: Callable[[], object]) -> bool:
    """Whether a check refuses nothing: what it would say is of no use to a client that does not know these fields."""
    try:
        check()
    except (Refused, ValueError):  # pydantic's errors are ValueErrors
        return False
    return True


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


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
