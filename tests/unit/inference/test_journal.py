"""What a worker that died had in work: written before, struck out after, and counted by whoever takes its place."""

from __future__ import annotations

import errno
import functools
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from streamapp.inference import suspects as module
from streamapp.inference.journal import LARGEST, Journal, left_behind
from streamapp.inference.quarantine import Quarantine
from streamapp.inference.suspects import ChunkId, Left, Suspects
from streamapp.models import Chunk


def chunk(number: int, size: int = 3, run: int = 1) -> Chunk:
    """A chunk of that many items."""
    return Chunk("anna", "job", run, 0, number, "word", "data:;base64,SGk=", "text/plain", 2, [{}] * size)


A, B = ChunkId.of(chunk(0)), ChunkId.of(chunk(1))


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)


def died(folder: Path, *places: tuple[ChunkId, int], slot: int = 0, why: str = "") -> Quarantine:
    """A worker takes the slot, and dies with these in work; what the next one finds."""
    journal = Quarantine.of_slot(folder, slot).journal
    with journal.at_work(places):
        journal.leaving(why)
        content = (folder / f"{slot}.journal").read_bytes()
    (folder / f"{slot}.journal").write_bytes(content)  # as if the block had never ended
    return Quarantine.of_slot(folder, slot)


def deaths(quarantine: Quarantine, of: Chunk) -> dict[int, int]:
    """Lone deaths by place."""
    return {place: suspect.lone_deaths for place, suspect in quarantine.suspects.of(of).items()}


def test_what_is_in_work_is_in_the_file(tmp_path: Path) -> None:
    """I expect it there inside of the block, also when two overlap, and nothing after."""
    path = tmp_path / "journal"
    journal = Journal(path)
    with journal.at_work([(A, 2), (B, 0), (A, 0)]):
        with journal.at_work([(B, 1)]):
            left = left_behind(path)
            assert left is not None
            assert left.work == [(A, [0, 2]), (B, [0]), (B, [1])]
        left = left_behind(path)
        assert left is not None
        assert left.work == [(A, [0, 2]), (B, [0])]
    assert left_behind(path) is None


def test_a_failure_is_no_death(tmp_path: Path) -> None:
    """I expect what raises to be struck out as well."""
    with pytest.raises(KeyError), Journal(tmp_path / "journal").at_work([(A, 0)]):
        raise KeyError
    assert left_behind(tmp_path / "journal") is None


def test_an_orderly_leave_blames_nobody(tmp_path: Path) -> None:
    """I expect an empty journal from then on, also while work goes on."""
    journal = Journal(tmp_path / "journal")
    with journal.at_work([(A, 0)]):
        journal.close()
        assert left_behind(tmp_path / "journal") is None
        with journal.at_work([(B, 0)]):
            assert left_behind(tmp_path / "journal") is None


def test_together_makes_suspects_and_alone_counts(tmp_path: Path) -> None:
    """I expect a death with others beside to count for none of them, and one alone for the one; all others for none."""
    quarantine = died(tmp_path, (A, 0), (A, 2), (B, 1))
    assert deaths(quarantine, chunk(0)) == {0: 0, 2: 0}
    assert deaths(quarantine, chunk(1)) == {1: 0}
    assert deaths(quarantine, chunk(2)) == deaths(quarantine, chunk(0, run=2)) == {}
    for count in (1, 2, 3):
        quarantine = died(tmp_path, (A, 2), why="it hung")
        assert deaths(quarantine, chunk(0)) == {0: 0, 2: count}
    assert quarantine.suspects.of(chunk(0))[2].why == "it hung"
    assert quarantine.suspects.of(chunk(0))[0].why == "it hung"
    assert quarantine.suspects.of(chunk(1))[1].why == "the process died"


def test_a_death_counts_once(tmp_path: Path) -> None:
    """I expect a worker that dies before it has emptied the journal not to count its predecessor's death again."""
    journal = Journal(tmp_path / "0.journal")
    with journal.at_work([(A, 0)]):
        content = (tmp_path / "0.journal").read_bytes()
    for _ in range(3):
        (tmp_path / "0.journal").write_bytes(content)
        quarantine = Quarantine.of_slot(tmp_path, 0)
    assert deaths(quarantine, chunk(0)) == {0: 1}


def test_workers_of_a_home_share_what_they_know(tmp_path: Path) -> None:
    """I expect a chunk that goes from one worker to the next to be suspect there too, and its deaths to add up."""
    third = Quarantine.of_slot(tmp_path, 2)
    died(tmp_path, (A, 1), slot=0)
    died(tmp_path, (A, 1), slot=1)
    assert deaths(third, chunk(0)) == {1: 2}


def test_deaths_of_a_run(tmp_path: Path) -> None:
    """I expect those of all its chunks and in all slots, and none of another run or for another predictor."""
    for slot in (0, 1):
        for place in (A, 0), (A, 1), (B, 1):
            died(tmp_path, place, slot=slot)
    died(tmp_path, (A, 0), slot=2)
    suspects = Quarantine.of_slot(tmp_path, 3).suspects
    assert suspects.lone_deaths_of_run(chunk(7)) == {(0, 0): 3, (0, 1): 2, (1, 1): 2}
    assert suspects.lone_deaths_of_run(chunk(0, run=2)) == {}
    another = chunk(0)
    another.predictor = "other"
    assert suspects.lone_deaths_of_run(another) == {}


def test_suspicion_passes(tmp_path: Path) -> None:
    """I expect it to be over after an hour, and an hour ahead too: a clock may have been put back."""
    died(tmp_path, (A, 1))
    now = time.time()
    for later, known in ((3000, {1}), (3700, set()), (-3700, set())):
        assert Suspects(tmp_path, 0, functools.partial(float, now + later)).of(chunk(0)).keys() == known
    Suspects(tmp_path, 3, lambda: now + 4000).add(Left(at=now, work=[(B, [0])]))
    assert not (tmp_path / "3.suspects").exists()


@pytest.mark.parametrize("content", [b"\0" * 40, b'{"at": 1.0, "wh', b'{"at": 1.0, "work": [[["a"], [1]]]}', b"[]"])
def test_torn_files_are_ignored(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """I expect a worker to start all the same, and to say what it ignores."""
    (tmp_path / "0.journal").write_bytes(content)
    (tmp_path / "0.suspects").write_bytes(content.replace(b"[]", b"{}"))
    quarantine = Quarantine.of_slot(tmp_path, 0)
    assert deaths(quarantine, chunk(0)) == {}
    assert "can't be read and is ignored" in caplog.text
    assert "are forgotten" in caplog.text
    assert deaths(died(tmp_path, (A, 1)), chunk(0)) == {1: 1}


def test_the_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a huge batch to be written as whole chunks, all of whose items are suspects then, and old ones to go."""
    quarantine = died(tmp_path, *((A, place) for place in range(LARGEST)), (B, 0))
    assert (tmp_path / "0.journal").stat().st_size <= LARGEST
    assert deaths(quarantine, chunk(0)) == {0: 0, 1: 0, 2: 0}
    assert deaths(quarantine, chunk(1)) == {0: 0, 1: 0, 2: 0}
    monkeypatch.setattr(module, "CHUNKS", 2)
    for number in (5, 6, 7):
        quarantine = died(tmp_path, (ChunkId.of(chunk(number)), 0))
    assert [deaths(quarantine, chunk(number)) for number in (0, 5, 6, 7)] == [{}, {}, {0: 1}, {0: 1}]


def test_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """I expect the work to go on, and one line in the log."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.WARNING):
        journal = Quarantine.of_slot(tmp_path, 0).journal
        for _ in range(3):
            with journal.at_work([(A, 0)]):
                pass
    assert caplog.text.count("can't be written") == 1


def test_a_folder_that_can_t_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """I expect a worker without a journal, and one line in the log for each thing that it does without."""
    (tmp_path / "file").touch()
    quarantine = Quarantine.of_slot(tmp_path / "file", 0)
    with quarantine.journal.at_work([(A, 0)]):
        assert deaths(quarantine, chunk(0)) == {}
    assert caplog.text.count("can't be written") == 1


def test_what_it_costs(tmp_path: Path) -> None:
    """I expect less than a millisecond for a batch of 64 items; the best of many counts, as the machine may be busy."""
    journal = Journal(tmp_path / "journal")
    batch = [(A, place) for place in range(64)]
    times = []
    for _ in range(50):
        started = time.perf_counter()
        with journal.at_work(batch):
            pass
        times.append(time.perf_counter() - started)
    assert min(times) < 0.001
