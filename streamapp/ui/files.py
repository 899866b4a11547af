"""Kinds of file in words and as a browser's file dialogue wants them: media types are for programs."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.documents.kinds import named, suffixes
from streamapp.resources import TaskResource

__all__ = ["accept", "kinds", "most"]


def kinds(media_types: Iterable[str]) -> str:
    """What a task takes, each kind once: "plain text, HTML, PDF"."""
    return ", ".join(dict.fromkeys(named(media_type) for media_type in media_types))


def accept(tasks: Iterable[TaskResource]) -> str:
    """For the file field: all that one task or another takes. It is a help, and checked by nobody but the intake."""
    taken = dict.fromkeys(media_type for task in tasks for media_type in task.accepts)
    return ",".join(each for media_type in taken for each in (media_type, *suffixes(media_type)))


def most(task: TaskResource, limit: int | None) -> int | None:
    """How many bytes a document for that task may have: what the task takes, within what is let in at all."""
    return min((each for each in (task.largest, limit) if each), default=None)
