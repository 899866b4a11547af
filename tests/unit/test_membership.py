"""Of two workers with one name the newcomer leaves, and nobody else ever does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from streamapp.kafka.group import Member
from streamapp.membership import LOOK_S, LOST, Evictions, client_id

NAMES = itertools.count()
ID = "host-home-jobs-0"
OLD, ME, YOUNG = client_id(), client_id(), client_id()


def looks(evictions: Evictions, members: Iterable[str], begin: float, *, twin: str | None = OLD) -> int | None:
    """Look every half a second; the number of the look after which it should leave."""
    for number, member in enumerate(members):
        if evictions.look(member, begin + number * LOOK_S):
            ours = [Member(member, ME)] if member else []
            twins = [Member(f"{ID}-twin", twin)] if twin else []
            evictions.group([*ours, *twins, Member("another", OLD)], ID)
        if evictions.should_leave:
            return number
    return None


def steady(seconds: float) -> list[str]:
    """A membership that lasts."""
    return [f"{ID}-{next(NAMES)}"] * int(seconds / LOOK_S)


def fights(times: int) -> list[str]:
    """Memberships of two seconds, and nobody in between."""
    return [name for _ in range(times) for name in [*steady(2), ""]]


def test_the_newcomer_leaves_after_a_few() -> None:
    """I expect it to leave when it has lost its third membership, and not before."""
    evictions = Evictions(ME)
    assert looks(evictions, fights(LOST - 1), 100.0) is None
    assert looks(evictions, fights(1), 100.0 + (LOST - 1) * 2.5) == 4


def test_the_elder_stays() -> None:
    """I expect who started first to bear whatever a copy of it does."""
    assert looks(Evictions(ME), fights(50), 0.0, twin=YOUNG) is None


def test_which_is_the_elder_is_the_same_for_both() -> None:
    """I expect ids to be in the order of their making, and never the same."""
    made = [client_id() for _ in range(100)]
    assert made == sorted(set(made))


def test_memberships_that_are_lost_now_and_then() -> None:
    """I expect a rebalance now and then to mean nothing: a membership lost every minute."""
    members = [name for _ in range(20) for name in [*steady(61), ""]]
    assert looks(Evictions(ME), members, 0.0) is None


def test_who_slept_was_not_evicted() -> None:
    """I expect a process that was stopped again and again to stay: its heartbeats were missing."""
    evictions = Evictions(ME)
    now = 0.0
    for number in range(10):
        assert looks(evictions, [f"{ID}-{number}"] * 2, now) is None
        now += 12.0


def test_a_rejoin_seen_without_a_gap_counts() -> None:
    """I expect a new id at the very next look to be a lost membership too."""
    assert looks(Evictions(ME), "aabbccdd", 0.0) == 6


def test_the_first_join_is_no_loss() -> None:
    """I expect nobody, who becomes somebody, to have lost nothing."""
    assert looks(Evictions(ME), ["", "", "", *steady(600)], 0.0) is None


def test_without_a_twin_nobody_leaves() -> None:
    """I expect memberships that a broker loses, however many, to drive nobody out: nobody else is called as we are."""
    assert looks(Evictions(ME), fights(50), 0.0, twin=None) is None
