"""What the form says of a task's options, as the API's `params` and `deadline`: there all of it is text.

What is no number is left as it was written, so that the task's own check says what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from streamapp.intake.jsontext import parse_value
from streamapp.intake.refusal import Refused
from streamapp.resources import TaskResource
from streamapp.ui.options import PREFIX, Option, options, shown

__all__ = ["DEADLINES", "WITHIN", "as_fields", "is_option"]

WITHIN = "within"
"""The field for the deadline, in hours from now: no time zone has to be guessed then."""

DEADLINES = {"1": "in an hour", "6": "in 6 hours", "24": "in a day", "72": "in 3 days", "168": "in a week"}


def is_option(name: str) -> bool:
    """Whether a field of the form is of those that this module reads."""
    return name == WITHIN or name.startswith(PREFIX)


def as_fields(form: Mapping[str, Any], task: TaskResource | None) -> dict[str, Any]:
    """The fields of a job, with the options of that task, if it is one, in their places. Raises `Refused`."""
    fields = {name: value for name, value in form.items() if not is_option(name)}
    if task is not None and shown(task.name) in form:
        fields["params"] = {option.name: _value(option, form) for option in options(task) if _is_said(option, form)}
    if form.get(WITHIN):
        fields["deadline"] = _deadline(str(form[WITHIN]))
    return fields


def _is_said(option: Option, form: Mapping[str, Any]) -> bool:
    return option.kind == "boolean" or bool(form.get(option.field))


def _value(option: Option, form: Mapping[str, Any]) -> Any:
    if option.kind == "boolean":
        return option.field in form
    text = str(form[option.field])
    match option.kind:
        case "text":
            return text
        case "choice":
            return json.loads(text) if text in option.choices else text
        case "json":
            return _json(text, f"params.{option.name}")
    return _number(text)


def _json(text: str, field: str) -> Any:
    try:
        return parse_value(text.encode(), field)
    except Refused as refused:
        raise Refused(422, refused.problem.detail, field=field) from refused


def _number(text: str) -> Any:
    try:
        value = parse_value(text.strip().encode(), "params")
    except Refused:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _deadline(text: str) -> str:
    if text not in DEADLINES:
        raise Refused(422, "Choose one of the times that the form offers.", field="deadline")
    return (datetime.now(UTC) + timedelta(hours=int(text))).isoformat()
