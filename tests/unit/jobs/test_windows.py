"""A predictor's window follows how quickly its chunks come back."""

from __future__ import annotations

from streamapp.jobs.windows import CREDITS_PER_WORKER, ITEMS, LATE_S, QUICK_S, WIDEST, Windows

AT_FIRST = (CREDITS_PER_WORKER, CREDITS_PER_WORKER * ITEMS)


def test_at_first_there_is_no_more_than_the_credits() -> None:
    """I expect nothing beyond the credits for a predictor of which nothing is known, for each worker."""
    windows = Windows()
    assert windows.small("model", 1) == AT_FIRST
    assert windows.small("model", 3) == (3 * AT_FIRST[0], 3 * AT_FIRST[1])


def test_what_comes_back_quickly_widens_it_up_to_a_bound() -> None:
    """I expect one more for each, never more than the bound, and never more items."""
    windows = Windows()
    windows.back("model", QUICK_S / 2)
    assert windows.small("model", 1) == (CREDITS_PER_WORKER + 1, AT_FIRST[1])
    for _ in range(2 * WIDEST):
        windows.back("model", QUICK_S / 2)
    assert windows.small("model", 1) == (WIDEST, AT_FIRST[1])
    assert windows.small("other", 1) == AT_FIRST


def test_what_comes_back_late_halves_it_down_to_the_credits() -> None:
    """I expect half of it after one, what is between quick and late to leave it, and the credits to stay."""
    windows = Windows()
    for _ in range(WIDEST):
        windows.back("model", 0.0)
    windows.back("model", (QUICK_S + LATE_S) / 2)
    assert windows.small("model", 1).chunks == WIDEST
    windows.back("model", LATE_S * 2)
    assert windows.small("model", 1).chunks == WIDEST // 2
    for _ in range(10):
        windows.back("model", LATE_S * 2)
    assert windows.small("model", 1) == AT_FIRST


def test_larger_chunks_make_more_room_for_items() -> None:
    """I expect the credits' worth of the largest chunk so far."""
    windows = Windows()
    windows.flown("model", [3 * ITEMS])
    assert windows.small("model", 2) == (2 * CREDITS_PER_WORKER, 2 * CREDITS_PER_WORKER * 3 * ITEMS)


def test_chunks_that_the_settings_keep_small_make_less_room() -> None:
    """I expect the credits' worth of what a chunk may hold at most."""
    assert Windows(chunk_items=1).small("model", 1) == (CREDITS_PER_WORKER, CREDITS_PER_WORKER)


def test_the_largest_chunk_so_far_is_a_full_one() -> None:
    """I expect the largest of all that have flown, for each predictor, and one item before there was any."""
    windows = Windows()
    assert windows.full("model") == 1
    windows.flown("model", [3, 40, 12])
    windows.flown("model", [5])
    windows.flown("model", [])
    assert (windows.full("model"), windows.full("other")) == (40, 1)
