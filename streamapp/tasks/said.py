"""What a task's own code raised, in one line of bounded length: it goes into the job, its e-mail and the inbox."""

from __future__ import annotations

from pydantic import ValidationError

__all__ = ["OWN_CODE", "in_a_line", "told_apart", "what_is_wrong"]

OWN_CODE = "the task's own code"  # so begins the reason of a job that its document can't help
LONGEST = 500  # characters; what pydantic says of a few hundred items is megabytes


def in_a_line(error: BaseException) -> str:
    """The exception's class and what it says. Of one of pydantic's the first mistake, without the value and the URL."""
    said = f"{error.title}: {what_is_wrong(error)}" if isinstance(error, ValidationError) else str(error)
    return _bounded(f"{type(error).__name__}: {said}")


def what_is_wrong(error: ValidationError) -> str:
    """The first mistake, where it is, and how many more there are."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    more = f", and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return _bounded((f"{where}: " if where else "") + first["msg"]) + more


def told_apart(one: type, other: type) -> tuple[str, str]:
    """The names of two classes, with their modules where they are the same."""
    if one.__qualname__ != other.__qualname__:
        return one.__qualname__, other.__qualname__
    return f"{one.__module__}.{one.__qualname__}", f"{other.__module__}.{other.__qualname__}"


def _bounded(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
