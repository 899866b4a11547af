"""What a submission must be for its task: parameters that the task has, a document that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from streamapp.delivery.target import Rules, WrongTarget, parse_target
from streamapp.documents.accept import UnknownType, WrongType, accepted, accepted_file, accepted_text
from streamapp.documents.kinds import TEXT
from streamapp.errors import BadDocument
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.submission import Submission
from streamapp.tasks.contract import Task
from streamapp.tasks.registry import Registry

__all__ = ["checked_bytes", "checked_content", "checked_file", "checked_params", "checked_task", "checked_webhook"]


def checked_task(registry: Registry, name: str) -> Task:
    """The task of that name. Raises `Refused` that names those there are."""
    if name not in registry:
        raise Refused(422, f"There is no task {name!r}; there are {', '.join(sorted(registry))}.", field="task")
    return registry[name]


def checked_params(task: Task, params: Mapping[str, Any]) -> str:
    """The task's parameters as JSON, with its defaults filled in. Raises `Refused`, also for a name that it lacks."""
    _check_names(task.params, params)
    try:
        return task.params.model_validate(params).model_dump_json()
    except ValidationError as error:
        raise from_validation(error, "params", task.params.model_fields) from error


def _check_names(model: type[BaseModel], params: Mapping[str, Any]) -> None:
    """A model that does not say what becomes of other names, as `Params` does, would overlook a misspelled one."""
    known = {name: field.validation_alias for name, field in model.model_fields.items()}
    if "extra" in model.model_config or not all(alias is None or isinstance(alias, str) for alias in known.values()):
        return
    for name in params.keys() - known.keys() - set(known.values()):
        there = ", ".join(sorted(known)) or "none"
        raise Refused(422, f"params.{name}: there is no such field; there are {there}", field=f"params.{name}")


def checked_content(task: Task, submission: Submission) -> tuple[bytes, str]:
    """The document's bytes, text among them in UTF-8, and its media type without parameters. Raises `Refused`."""
    field = "document" if submission.text is None else "text"
    content, media_type = submission.content()
    if submission.text is not None:
        with _refusing(field):
            return accepted_text(content, media_type or TEXT, task.accepts, task=task.name)
    return checked_bytes(task, content, media_type, field)


def checked_bytes(task: Task, content: bytes, media_type: str | None, field: str) -> tuple[bytes, str]:
    """The same for a document that came in `field`."""
    _check_size(task, len(content))
    with _refusing(field):
        return accepted(content, media_type, task.accepts, task=task.name)


def checked_file(task: Task, file: BinaryIO, size: int, media_type: str) -> str:
    """The media type of a document that is too large to be held, without parameters; its text is not looked at."""
    _check_size(task, size)
    with _refusing("document"):
        return accepted_file(file, media_type, task.accepts, task=task.name)


def _check_size(task: Task, size: int) -> None:
    if task.largest is not None and size > task.largest:
        detail = f"The document has {size} bytes; task {task.name} takes {task.largest} at most."
        raise Refused(413, detail, field="document")


@contextmanager
def _refusing(field: str) -> Iterator[None]:
    try:
        yield
    except UnknownType as error:
        raise Refused(422, str(error), field="media_type") from error
    except WrongType as error:
        raise Refused(415, str(error), field="media_type") from error
    except BadDocument as error:
        raise Refused(422, str(error), field=field) from error


def checked_webhook(url: str | None, rules: Rules) -> str | None:
    """The URL in its one spelling. Raises `Refused` that says what is wrong with it."""
    if url is None:
        return None
    try:
        return parse_target(url, rules).url
    except WrongTarget as error:
        raise Refused(422, f"webhook: {error}.", field="webhook") from error
