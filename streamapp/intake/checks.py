"""What a submission must be for its task: parameters that the task has, a document that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from streamapp.documents.accept import UnknownType, WrongType, accepted, accepted_text
from streamapp.documents.kinds import TEXT
from streamapp.errors import BadDocument
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.submission import Submission
from streamapp.tasks.contract import Task
from streamapp.tasks.registry import Registry

__all__ = ["checked_content", "checked_params", "checked_task"]


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
    try:
        if submission.text is not None:
            return accepted_text(content, media_type or TEXT, task.accepts, task=task.name)
        return accepted(content, media_type, task.accepts, task=task.name)
    except UnknownType as error:
        raise Refused(422, str(error), field="media_type") from error
    except WrongType as error:
        raise Refused(415, str(error), field="media_type") from error
    except BadDocument as error:
        raise Refused(422, str(error), field=field) from error
