"""JSON as far as every reader agrees on it (RFC 7493, I-JSON): Unicode text, finite numbers, each key once, a bound.

What Python's own reader lets through beyond that would fail later and elsewhere: half a surrogate pair when it is
stored, an infinite number when it is written again, deep nesting in whatever walks it. Of a key that is there twice it
takes the last, and others the first: a proxy may have checked one that is not the one that is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from streamapp.intake.refusal import Refused

__all__ = ["parse_any_object", "parse_object", "parse_value"]

MAX_DEPTH = 64
MAX_DEPTH_ANY = 512  # well within what Python's reader and writer of JSON can nest
LONGEST_KEY = 100  # characters of it that a refusal names
MAX_DIGITS = 4300  # Python's own bound on integers in text; there it is an error that speaks of Python


def parse_object(body: bytes) -> dict[str, Any]:
    """A request's body. Raises `Refused` for what is no JSON object, or not as the module says."""
    return _object(parse_value(body, "body"))


def parse_value(raw: bytes, field: str) -> Any:
    """Any value; `field` is what a refusal names."""
    value = _load(raw, field, STRICT)
    for path, inner, depth in _walk(value, "" if field == "body" else field):
        if depth > MAX_DEPTH:
            raise Refused(400, f"This is nested more than {MAX_DEPTH} deep.", field=path.partition(".")[0] or field)
        if isinstance(inner, str) and not _is_unicode(inner):
            raise Refused(422, "It holds half of a surrogate pair, which is no Unicode text.", field=path or field)
    return value


def parse_any_object(body: bytes) -> dict[str, Any]:
    """The same, taking all that JSON's grammar (RFC 8259) allows: the old intake's clients send what they like.

    Integers that are too long become text; half a surrogate pair stays for the caller to repair.
    """
    value = _object(_load(body, "body", LENIENT))
    if any(depth > MAX_DEPTH_ANY for _, _, depth in _walk(value, "")):
        raise Refused(400, f"The body is nested more than {MAX_DEPTH_ANY} deep.", field="body")
    return value


def _load(raw: bytes, field: str, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(raw.decode("utf-8-sig"))
    except _Twice as error:
        detail = f"The key {error.key!r} is in an object twice; send it once."
        raise Refused(422, detail, field=(field == "body" and error.key) or field) from error
    except UnicodeDecodeError as error:
        raise Refused(400, f"This is not UTF-8: {error.reason} at byte {error.start}.", field=field) from error
    except RecursionError as error:
        raise Refused(400, "This is nested too deeply.", field=field) from error
    except ValueError as error:
        raise Refused(400, f"This is not JSON: {error}.", field=field) from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(422, 'The body must be a JSON object, such as {"task": "summarize", "text": "…"}.', field="body")
    return value


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any, int]]:
    """Each key (at the path of its object) and each value, with its depth; without recursion, however deep it is."""
    stack = [(path, value, 0)]
    while stack:
        path, value, depth = stack.pop()
        yield path, value, depth
        if isinstance(value, dict):
            for name, inner in value.items():
                yield path, name, depth
                stack.append((f"{path}.{name}" if path else name, inner, depth + 1))
        elif isinstance(value, list):
            stack.extend((f"{path}.{index}", inner, depth + 1) for index, inner in enumerate(value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Twice(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. The reader is still the one in C with this hook: a job's body costs half a microsecond more."""
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name[:LONGEST_KEY])
            seen.add(name)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is beyond the numbers that a double has (RFC 7493)")
    return number


def _short(digits: str) -> int | str:
    return int(digits) if len(digits) < MAX_DIGITS else digits


STRICT = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer, parse_float=_finite, object_pairs_hook=_once)
LENIENT = json.JSONDecoder(parse_constant=_no_constant, parse_int=_short)
