"""Which partitions of a group nobody has."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.kafka.group import Member
from streamapp.sharing import unread


def member(reads: Iterable[str], *has: tuple[str, int]) -> Member:
    """One that reads these topics and has these partitions."""
    return Member("id", "client", frozenset(reads), frozenset(has))


def test_all_is_shared_out() -> None:
    """I expect nothing to be left of what two have, and a third to wait for its turn without a complaint."""
    members = [member("ab", ("a", 0), ("b", 0)), member("ab", ("a", 1)), member("ab")]
    assert unread({"a": 2, "b": 1}, members) == []


def test_what_nobody_has() -> None:
    """I expect each partition that somebody's topic has and nobody was given, whoever reads that topic."""
    members = [member("a", ("a", 1)), member("bc", ("b", 0))]
    assert unread({"a": 2, "b": 2, "c": 1}, members) == [("a", 0), ("b", 1), ("c", 0)]


def test_a_topic_that_is_not_there_is_missed_by_nobody() -> None:
    """I expect no complaint of what can't be shared out, nor of what nobody reads."""
    assert unread({"unread": 3}, [member("a")]) == []
