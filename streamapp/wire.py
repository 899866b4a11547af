"""How bytes become Records: strictly, and without ever raising.

Faust acknowledges a message before it reports that it can't decode it, and under `take()` such a message ends the agent
without a word. So this schema never raises: what can't be decoded reaches the agent as `Undecodable`, and the agent
sends it to the dead letters. Faust's own validation coerces (an object where a string is due becomes its repr); this
one does not.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import faust
from faust.types.tuples import Message
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from streamapp.models import Record

__all__ = ["StrictSchema", "Undecodable", "decode"]

NAMESPACE = "__faust"


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Bytes that are no Record of the topic's type, and why."""

    reason: str


@functools.cache
def _strict_model(record: type[Record]) -> type[BaseModel]:
    """The Record's fields as a pydantic model that converts nothing."""
    fields: dict[str, Any] = {
        name: (kind, record._options.defaults.get(name, ...)) for name, kind in record._options.fields.items()
    }
    fields[NAMESPACE.lstrip("_")] = (dict[str, Any], ...)
    config = ConfigDict(
        strict=True, extra="forbid", alias_generator=lambda name: NAMESPACE if name == "faust" else name
    )
    return create_model(f"Strict{record.__name__}", __config__=config, **fields)


def decode(record: type[Record], payload: bytes | None) -> Record | Undecodable:
    """One message's value as the Record it must be, or why it is none. Never raises."""
    if payload is None:
        return Undecodable("the message has no value")
    try:
        # a class is hashable, though faust's types make a Record's look otherwise
        fields = _strict_model(record).model_validate_json(payload)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the bytes'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:5]
        )
        return Undecodable(problems)
    except (ValueError, RecursionError) as error:
        return Undecodable(str(error) or type(error).__name__)
    named = fields.faust.get("ns")  # type: ignore[attr-defined]  # made by _strict_model
    if named != record._options.namespace:
        return Undecodable(f"namespace is {named!r}, not {record._options.namespace!r}")
    values = {name: getattr(fields, name) for name in record._options.fields}
    return record(**values)


class StrictSchema(faust.Schema):  # type: ignore[type-arg]
    """A topic's schema whose decoding gives a Record or an `Undecodable`; keys stay bytes."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """The key as it came."""
        return message.key

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """The value, decoded strictly."""
        return decode(self.value_type, message.value)  # type: ignore[arg-type]
