"""JSON as it is read: what every reader agrees on is taken, and only the old intake takes more."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.intake.jsontext import parse_any_object, parse_object, parse_value
from streamapp.intake.refusal import Refused

SOME = settings(max_examples=60, deadline=None)  # machines of all speeds
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def nested(depth: int) -> bytes:
    """Objects within objects."""
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"{} {}", 400, "body"),
        (b"\xff", 400, "body"),
        ('{"a": 1}'.encode("utf-16"), 400, "body"),
        (b'{"a": NaN}', 400, "body"),
        (b'{"a": -Infinity}', 400, "body"),
        (b'{"a": 1e999}', 400, "body"),
        (b'{"a": -1e999}', 400, "body"),
        (b'{"a": ' + b"9" * 4301 + b"}", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (nested(66), 400, "a"),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b'{"a": "\\ud800"}', 422, "a"),
        (b'{"a": {"b": [1, "\\udc00\\ud800"]}}', 422, "a.b.1"),
        (b'{"\\ud800": 1}', 422, "body"),
        (b'{"a": {"\\ud800": 1}}', 422, "a"),
        (b'{"a": 1, "b": 2, "a": 1}', 422, "a"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', 422, "b"),
        (b'[{"": 1, "": 2}]', 422, "body"),
        (b'{"\\ud800": 1, "\\ud800": 1}', 422, "\ufffd"),
        (b'{"a": "' + b"\xed\xa0\x80" + b'"}', 400, "body"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(body: bytes, status: int, field: str) -> None:
    """The place is named as far as there is one."""
    with pytest.raises(Refused) as refused:
        parse_object(body)
    assert refused.value.problem.status == status
    assert [error.field for error in refused.value.problem.errors] == [field]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"\xef\xbb\xbf{}", b' {"a": 1} \n', nested(60), b'{"a": "\\ud83e\\udd89"}', b'{"a": 1e308, "b": 1e-999}'],
    ids=repr,
)
def test_what_is_taken(body: bytes) -> None:
    """Whole surrogate pairs, a byte order mark, numbers at the edge."""
    assert isinstance(parse_object(body), dict)


def test_a_value_within_a_form_names_its_part() -> None:
    """Below it the path goes on."""
    with pytest.raises(Refused) as refused:
        parse_value(b'{"a": ["\\ud800"]}', "params")
    assert refused.value.problem.errors[0].field == "params.a.0"


@SOME
@given(st.dictionaries(st.text(), VALUES))
def test_any_json_comes_through_both(value: dict[str, object]) -> None:
    """What JSON can say is the same on both paths."""
    body = json.dumps(value).encode()
    assert parse_object(body) == parse_any_object(body) == value


def test_a_key_that_is_there_twice_is_named() -> None:
    """In the sentence; as a field it is the part of a form that it is within. The old intake takes the last."""
    with pytest.raises(Refused, match=r"The key 'b' is in an object twice; send it once\."):
        parse_object(b'{"a": {"b": 1, "b": 2}}')
    with pytest.raises(Refused) as refused:
        parse_value(b'{"b": 1, "b": 1}', "params")
    assert refused.value.problem.errors[0].field == "params"
    assert parse_any_object(b'{"a": 1, "a": 2}') == {"a": 2}


@SOME
@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """Nothing else is raised."""
    for parse in (parse_object, parse_any_object):
        with suppress(Refused):
            assert isinstance(parse(body), dict)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1e999}', {"a": float("inf")}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": "9" * 5000}),
        (b'{"a": -' + b"9" * 4299 + b"}", {"a": "-" + "9" * 4299}),
    ],
    ids=["half a pair", "beyond all numbers", "5,000 digits", "at the edge"],
)
def test_the_old_intake_takes_more(body: bytes, value: dict[str, object]) -> None:
    """Whatever JSON's grammar allows."""
    assert parse_any_object(body) == value


@pytest.mark.parametrize("body", [b"[]", b"", b"nope", b'{"a": NaN}', nested(600), b"[" * 100_000, b"\xff"], ids=len)
def test_the_old_intake_takes_objects_only(body: bytes) -> None:
    """No object, no job."""
    with pytest.raises(Refused):
        parse_any_object(body)
