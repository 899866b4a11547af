"""Names that stay the same when a step is done twice."""

from __future__ import annotations

import time
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.identity import Run, delivery_id, digest, message_id, new_job_id

RUN = Run("anna", "job", 1)


@given(st.lists(st.text(max_size=5), max_size=5), st.lists(st.text(max_size=5), max_size=5))
def test_digests_tell_parts_apart(one: list[str], other: list[str]) -> None:
    """I expect equal digests for equal parts only, wherever the same characters are cut."""
    assert (digest(*one) == digest(*other)) == (one == other)


def test_a_digest_never_changes() -> None:
    """I expect ids of an older version to be found again: SHA-256 over 8-byte lengths and UTF-8."""
    assert digest("ab", b"c") == "601d5476e2ccfe2c87a2bba7a322659734a05749d5b5aa781f513e4912db0d5f"
    assert digest() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert len(digest("ä")) == 64


def test_a_delivery_is_named_by_all_that_tells_it_apart() -> None:
    """I expect another id for another tenant, job, run, event, kind and recipient, and the same one again else."""
    same = [delivery_id(RUN, "succeeded", "email", "a@b") for _ in range(2)]
    others = [
        delivery_id(Run("ben", "job", 1), "succeeded", "email", "a@b"),
        delivery_id(Run("anna", "job2", 1), "succeeded", "email", "a@b"),
        delivery_id(Run("anna", "job", 2), "succeeded", "email", "a@b"),
        delivery_id(RUN, "failed", "email", "a@b"),
        delivery_id(RUN, "succeeded", "notification", "a@b"),
        delivery_id(RUN, "succeeded", "email", "a@bc"),
    ]
    assert same[0] == same[1]
    ids = sorted({same[0], *others})
    assert len(ids) == 7
    assert all(one != other for one, other in pairwise(ids))


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("streamapp@example.org", "<abc@example.org>"),
        ("Stream App <streamapp@example.org>", "<abc@example.org>"),
        ('"@home" <streamapp@example.org>', "<abc@example.org>"),
        ("", "<abc@localhost>"),
    ],
)
def test_message_ids(sender: str, expected: str) -> None:
    """I expect the delivery at the sender's domain, always the same."""
    assert message_id("abc", sender) == expected


def test_new_ids_follow_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect UUIDs of version 7 (RFC 9562) that sort by the millisecond they were made in, and never one twice."""
    made = []
    for moment in (1_000_000, 2_000_000, 1_700_000_000_000_000_000, 1_800_000_000_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
        made.append(new_job_id())
        assert new_job_id() != made[-1]
        assert uuid.UUID(made[-1]).int >> 80 == moment // 1_000_000
    assert sorted(made) == made
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in made} == {(7, uuid.RFC_4122)}
