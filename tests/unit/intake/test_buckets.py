"""Token buckets that processes share: what is taken in one is gone in the others."""

from __future__ import annotations

import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from streamapp.intake import buckets as module
from streamapp.intake.buckets import Buckets, OwnBuckets, SharedBuckets


class Clock:
    """The monotonic clock, in the test's hands; processes that are forked have its hands too."""

    now = 50.0

    def monotonic(self) -> float:
        """The time. It is asked for between reading and writing, so whoever is not kept out comes in now."""
        time.sleep(0.0002)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time that stands."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _through(folder: Path, key: str, times: int) -> int:
    """How many of so many requests a process lets through."""
    buckets = SharedBuckets(folder)
    return sum(buckets.take(key, 100) >= 1 for _ in range(times))


def test_processes_share_them(clock: Clock, tmp_path: Path) -> None:
    """I expect four at once to let through as many as one would, for each key, and no one more."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(4, mp_context=fork) as processes:
        anna = [processes.submit(_through, tmp_path, "anna", 60) for _ in range(4)]
        bert = [processes.submit(_through, tmp_path, "bert", 30) for _ in range(3)]
        assert (sum(each.result(30) for each in anna), sum(each.result(30) for each in bert)) == (100, 90)
    clock.now += 6
    assert _through(tmp_path, "anna", 60) == 10


def test_threads_share_them(clock: Clock, tmp_path: Path) -> None:
    """I expect the same of those of one process, with files and in memory."""
    every: tuple[Buckets, ...] = (SharedBuckets(tmp_path), OwnBuckets())
    for buckets in every:
        with ThreadPoolExecutor(8) as threads:
            taken = list(threads.map(lambda _, buckets=buckets: buckets.take("k", 100), range(300)))
        assert sum(tokens >= 1 for tokens in taken) == 100


def test_both_count_alike(clock: Clock, tmp_path: Path) -> None:
    """I expect a site to say what a worker says, as time goes, also to a key whose limit is another now."""
    own, shared = OwnBuckets(), SharedBuckets(tmp_path / "not" / "there")
    for most, later_s in ((3, 0), (3, 0), (3, 7), (3, 0), (3, 30), (2, 0), (600, 1), (600, 3600), (600, 0)):
        clock.now += later_s
        assert shared.take("k", most) == own.take("k", most)


def test_a_machine_that_was_started_anew(clock: Clock, tmp_path: Path) -> None:
    """I expect a clock that begins again to hold nobody back longer than the limit does."""
    buckets = SharedBuckets(tmp_path)
    assert [buckets.take("k", 1) for _ in range(2)] == [1, 0]
    clock.now = 1.0
    assert buckets.take("k", 1) == 0
    clock.now += 60
    assert buckets.take("k", 1) == 1


def test_a_folder_that_can_not_be_used(clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """I expect the process to count by itself, and to warn once."""
    (tmp_path / "rates").write_text("a file")
    buckets = SharedBuckets(tmp_path / "rates")
    with caplog.at_level(logging.WARNING):
        assert [buckets.take("k", 2) for _ in range(3)] == [2, 1, 0]
    assert [record.message for record in caplog.records if "for itself" in record.message] == [caplog.messages[0]]


def test_what_was_cut_off_is_a_full_one(clock: Clock, tmp_path: Path) -> None:
    """I expect a file without its end to be as none."""
    (tmp_path / "k").write_bytes(b"\0" * 7)
    assert SharedBuckets(tmp_path).take("k", 5) == 5
