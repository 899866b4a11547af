"""Lanes compute what one thread would, leave others' threads alone, and hand their failures on."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamapp.tasks.lanes import Lanes, parts
from streamapp.tasks.minilm import MiniLM

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lanes() -> Lanes:
    """Two, however many cores there are."""
    torch.set_num_threads(2)
    return Lanes()


def test_each_lane_has_one_thread_and_all_others_what_they_had(lanes: Lanes) -> None:
    """I expect a thread that was never seen before to compute with two, as if there were no lanes."""
    gate = threading.Barrier(2)

    def threads(_: int) -> tuple[str, int]:
        gate.wait(10)  # both lanes are in use
        return threading.current_thread().name, torch.get_num_threads()

    found = dict(lanes.map(threads, [0, 1]))
    assert list(found.values()) == [1, 1]
    other: list[int] = []

    def newcomer() -> None:
        (torch.ones(64, 64) @ torch.ones(64, 64)).sum()
        other.append(torch.get_num_threads())

    thread = threading.Thread(target=newcomer)
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), other) == (2, [2])


def test_a_failure_is_raised_once_no_lane_computes(lanes: Lanes) -> None:
    """I expect the error of the part that failed, after the others have ended: their memory is free by then."""
    ended: list[int] = []
    slow = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            slow.set()
            raise MemoryError("too large")
        slow.wait(10)
        ended.append(number)
        return number

    with pytest.raises(MemoryError, match="too large"):
        lanes.map(work, [0, 1, 2])
    assert sorted(ended) == [1, 2]
    assert lanes.map(str, [3, 4]) == ["3", "4"]


@given(costs=st.lists(st.integers(1, 256), min_size=1, max_size=200), count=st.integers(1, 8))
def test_parts(costs: list[int], count: int) -> None:
    """I expect each index once, ascending costs throughout, and parts that differ by no more than an item or so."""
    made = parts(costs, count, 128)
    flat = [index for part in made for index in part]
    assert sorted(flat) == list(range(len(costs)))
    assert [costs[index] for index in flat] == sorted(costs)
    assert len(made) <= max(1, min(count, sum(costs) // 128))
    share = sum(costs) / max(1, min(count, sum(costs) // 128))
    assert all(sum(costs[index] for index in part) < share + max(costs) for part in made)


def test_a_batch_in_lanes_is_the_batch_as_one() -> None:
    """I expect the same bits, in the order of the batch."""
    torch.set_num_threads(2)
    model = MiniLM()
    model.load("cpu")
    texts = [f"Sentence {number} " + "with a few words more " * (number % 9) for number in range(90)]
    batch = [model.tokens(text) for text in texts]
    assert model._lanes is not None
    in_lanes = model.predict(batch)
    model._lanes = None
    assert in_lanes == model.predict(batch)
    assert not np.array_equal(in_lanes[0].array(), in_lanes[1].array())  # type: ignore[union-attr]
