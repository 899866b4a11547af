"""Which fields of the form a refusal is about: the API names its own fields, and the form has others."""

from __future__ import annotations

from streamapp.resources import FieldProblem, Problem, TaskResource
from streamapp.ui.chosen import WITHIN
from streamapp.ui.options import options

__all__ = ["marks"]

FIELDS = {
    "task": "task",
    "text": "text",
    "document": "file",
    "file": "file",
    "media_type": "file",
    "email": "email",
    "deadline": WITHIN,
}


def marks(error: Problem | None, task: TaskResource | None) -> tuple[dict[str, list[str]], list[FieldProblem]]:
    """What is wrong with each field of the form, and what is wrong beside them; `task` is the one that was chosen."""
    params = {f"params.{option.name}": option.field for option in options(task)} if task else {}
    marked: dict[str, list[str]] = {}
    unmarked: list[FieldProblem] = []
    for each in error.errors if error else ():
        first, _, rest = each.field.partition(".")
        field = FIELDS.get(first) or params.get(f"{first}.{rest.partition('.')[0]}")
        if field:
            marked.setdefault(field, []).append(each.detail)
        else:
            unmarked.append(each)
    return marked, unmarked
