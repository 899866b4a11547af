"""Whose place in the group is taken again and again leaves, the newcomer before the elder, and nobody else ever."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from streamapp.membership import ELDER, LOOK_S, NEWCOMER, Evictions

NAMES = itertools.count()
ID = "host-home-jobs-0"


def looks(evictions: Evictions, members: Iterable[str], begin: float, *, twin: bool = True) -> int | None:
    """Look every half a second; the number of the look after which it should leave."""
    for number, member in enumerate(members):
        if evictions.look(member, begin + number * LOOK_S):
            evictions.group([f"{ID}-twin" if twin else member, "another"], ID)
        if evictions.should_leave:
            return number
    return None


def steady(seconds: float) -> list[str]:
    """A membership that lasts."""
    return [f"{ID}-{next(NAMES)}"] * int(seconds / LOOK_S)


def fights(times: int) -> list[str]:
    """Memberships of two seconds, and nobody in between."""
    return [name for _ in range(times) for name in [*steady(2), ""]]


def test_a_newcomer_leaves_after_a_few() -> None:
    """I expect it to leave when it has lost its third membership, and not before."""
    evictions = Evictions()
    assert looks(evictions, fights(NEWCOMER - 1), 100.0) is None
    assert looks(evictions, fights(1), 100.0 + (NEWCOMER - 1) * 2.5) == 4


def test_an_elder_outlasts_newcomers() -> None:
    """I expect who has long been at work to bear what three newcomers do, and to leave in the end."""
    members = [*steady(90), *fights(ELDER - 1)]
    assert looks(Evictions(), [*steady(90), *fights(ELDER - 2)], 0.0) is None
    assert looks(Evictions(), members, 0.0) == len(members) - 1


def test_it_takes_turns_that_are_close() -> None:
    """I expect a rebalance now and then to mean nothing: a membership lost every minute."""
    members = [name for _ in range(20) for name in [*steady(61), ""]]
    assert looks(Evictions(), members, 0.0) is None


def test_who_slept_was_not_evicted() -> None:
    """I expect a process that was stopped again and again to stay: its heartbeats were missing."""
    evictions = Evictions()
    now = 0.0
    for number in range(10):
        assert looks(evictions, [f"{ID}-{number}"] * 2, now) is None
        now += 12.0


def test_a_rejoin_seen_without_a_gap_counts() -> None:
    """I expect a new id at the very next look to be a lost membership too."""
    assert looks(Evictions(), "aabbccdd", 0.0) == 6


def test_the_first_join_is_no_loss() -> None:
    """I expect nobody, who becomes somebody, to have lost nothing."""
    assert looks(Evictions(), ["", "", "", *steady(600)], 0.0) is None


def test_without_a_twin_nobody_leaves() -> None:
    """I expect memberships that a broker loses, however many, to drive nobody out: nobody else is called as we are."""
    assert looks(Evictions(), fights(50), 0.0, twin=False) is None
