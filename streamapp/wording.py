"""What is wrong with a field or a setting, in our own words: pydantic's speak of its types, and of Python's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pydantic_core import ErrorDetails

__all__ = ["a_time", "words_of"]

TEXT, WHOLE, NUMBER = "it must be text", "it must be a whole number", "it must be a number"
YES_OR_NO, OBJECT, LIST = "it must be true or false", "it must be an object", "it must be a list"

#: By pydantic's names for errors.
WORDS = {
    "missing": "it is missing",
    "string_type": TEXT,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "bool_type": YES_OR_NO,
    "bool_parsing": YES_OR_NO,
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "list_type": LIST,
    "tuple_type": LIST,
}
#: How it begins all others, bounds for instance, whose rest is as it should be.
ITS_BEGINNING = re.compile("^(Input|String|Value) should (?=be|have|match)")


def a_time() -> str:
    """A time as a deadline is written (RFC 3339), for an example that can be sent as it stands: tomorrow."""
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:00:00Z")


def words_of(problem: ErrorDetails) -> str:
    """The sentence, without the field's name."""
    words = WORDS.get(problem["type"])
    return words or ITS_BEGINNING.sub("it must ", problem["msg"].removeprefix("Value error, "))
