"""What a submission must be for its task: parameters that the task has, a document that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from streamapp.delivery.target import Rules, WrongTarget, parse_target
from streamapp.documents.text import is_text, normalise_text
from streamapp.errors import BadDocument
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.submission import Submission
from streamapp.tasks.contract import Task
from streamapp.tasks.registry import Registry

__all__ = ["checked_bytes", "checked_content", "checked_params", "checked_task", "checked_type", "checked_webhook"]


def checked_task(registry: Registry, name: str) -> Task:
    """The task of that name. Raises `Refused` that names those there are."""
    if name not in registry:
        raise Refused(422, f"There is no task {name!r}; there are {', '.join(sorted(registry))}.", field="task")
    return registry[name]


def checked_params(task: Task, params: Mapping[str, Any]) -> str:
    """The task's parameters as JSON, with its defaults filled in. Raises `Refused`."""
    try:
        return task.params.model_validate(params).model_dump_json()
    except ValidationError as error:
        raise from_validation(error, "params", task.params.model_fields) from error


def checked_content(task: Task, submission: Submission) -> tuple[bytes, str]:
    """The document's bytes, text among them in UTF-8, and its media type without parameters. Raises `Refused`."""
    field = "document" if submission.text is None else "text"
    content, media_type = submission.content()
    return checked_bytes(task, content, media_type, field)


def checked_bytes(task: Task, content: bytes, media_type: str, field: str) -> tuple[bytes, str]:
    """The same for a document that came in `field`."""
    essence = checked_type(task, media_type, len(content))
    if not content:
        raise Refused(422, "The document is empty.", field=field)
    if is_text(essence):
        try:
            content = normalise_text(content, media_type)
        except BadDocument as error:
            raise Refused(422, str(error), field=field) from error
    return content, essence


def checked_type(task: Task, media_type: str, size: int) -> str:
    """The media type without parameters, if the task takes such a document, and one of so many bytes."""
    essence = media_type.partition(";")[0].strip().lower()
    if essence not in task.accepts:
        detail = f"Task {task.name} takes {', '.join(task.accepts)}, not {essence}."
        raise Refused(415, detail, field="media_type")
    if task.largest is not None and size > task.largest:
        detail = f"The document has {size} bytes; task {task.name} takes {task.largest} at most."
        raise Refused(413, detail, field="document")
    return essence


def checked_webhook(url: str | None, rules: Rules) -> str | None:
    """The URL in its one spelling. Raises `Refused` that says what is wrong with it."""
    if url is None:
        return None
    try:
        return parse_target(url, rules).url
    except WrongTarget as error:
        raise Refused(422, f"webhook: {error}.", field="webhook") from error
