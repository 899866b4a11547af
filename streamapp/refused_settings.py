"""A wrong setting in words: its variable, what would be right, and what it is, each once.

The settings' own checks say so themselves; what is put into words here is pydantic's.
"""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from streamapp.wording import words_of

__all__ = ["refused"]

NUMBERS: dict[object, str] = {int: "a whole number", float: "a number"}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def refused(problem: ErrorDetails, settings: type[BaseModel], prefix: str) -> str:
    """One of `ValidationError.errors()` in words; a problem without a place is one of several settings together."""
    words, place = words_of(problem), problem["loc"]
    if not place:
        return f"The settings: {words}"
    name = str(place[0])
    value = _shown(name, problem["input"])
    if problem["type"] != "value_error":
        words = _right(settings, name) or words
    said = f"{prefix}{name.upper()}: {words}"
    return said if value in words else f"{said} (it is {value})"


def _shown(name: str, value: object) -> str:
    """What it is, but for the user and the password in a URL: this may reach a log."""
    return repr(str(value).rpartition("@")[2] if name.endswith("_url") else value)


def _right(settings: type[BaseModel], name: str) -> str:
    """What a number or a switch must be; empty for other settings."""
    field = settings.model_fields.get(name)
    if field is None:
        return ""
    if field.annotation is bool:
        return "it must be true or false"
    if field.annotation not in NUMBERS:
        return ""
    limits = [
        f"{words} {getattr(limit, bound):.15g}"
        for bound, words in BOUNDS.items()
        for limit in field.metadata
        if hasattr(limit, bound)
    ]
    return f"it must be {NUMBERS[field.annotation]}" + (f", {' and '.join(limits)}" if limits else "")
