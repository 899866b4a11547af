"""A stable number for each worker on a host."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamapp import slots
from streamapp.errors import ConfigurationError
from streamapp.slots import HOME_ID, home_id, instance_id, reading, take_slot

HOLD = """
import sys
from pathlib import Path
from streamapp.slots import take_slot
print(take_slot(Path(sys.argv[1]), sys.argv[2]), flush=True)
sys.stdin.read()
"""


class Other:
    """Another process that holds a slot."""

    def __init__(self, folder: Path, role: str = "jobs") -> None:
        command = [sys.executable, "-c", HOLD, str(folder), role]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.slot = int(self.process.stdout.readline())

    def kill(self) -> None:
        """End it in the hardest way."""
        self.process.kill()
        self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def test_two_processes_never_share_one(tmp_path: Path) -> None:
    """I expect different slots, the same one again for the same worker, and one that was killed to free its own."""
    first = Other(tmp_path)
    second = Other(tmp_path)
    try:
        assert (first.slot, second.slot) == (0, 1)
        assert take_slot(tmp_path, "jobs") == 2
        assert take_slot(tmp_path, "jobs") == 2
        first.kill()
        third = Other(tmp_path)
        third.kill()
        assert third.slot == 0
    finally:
        first.kill()
        second.kill()


def test_roles_and_homes_have_slots_of_their_own(tmp_path: Path) -> None:
    """I expect each to begin at 0."""
    assert take_slot(tmp_path / "a", "jobs") == 0
    assert take_slot(tmp_path / "a", "inference") == 0
    assert take_slot(tmp_path / "b", "jobs") == 0


def test_all_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect one sentence that names the folder."""
    monkeypatch.setattr(slots, "SLOTS", 1)
    other = Other(tmp_path)
    try:
        with pytest.raises(ConfigurationError, match=str(tmp_path)):
            take_slot(tmp_path, "jobs")
    finally:
        other.kill()


@pytest.mark.parametrize("below", ["", "slots"])
def test_a_home_that_can_t_be_written(below: str, tmp_path: Path) -> None:
    """I expect one sentence that says why, and which variable to set."""
    taken = tmp_path / "home"
    taken.write_text("a file")
    for ask in (home_id, lambda folder: take_slot(folder, "jobs")):
        with pytest.raises(ConfigurationError, match=r"home.* can't be written \(.+\): set STREAMAPP_HOME to a folder"):
            ask(taken / below)


def test_an_instance_id_says_host_home_role_and_slot(tmp_path: Path) -> None:
    """I expect another one in another home, and the same one again in the same."""
    first = instance_id(tmp_path / "a", "jobs")
    assert first == f"{socket.gethostname()}-{home_id(tmp_path / 'a')}-jobs-0"
    assert instance_id(tmp_path / "a", "jobs") == first
    assert instance_id(tmp_path / "b", "jobs") != first


def test_workers_that_start_together_agree_on_the_homes_id(tmp_path: Path) -> None:
    """I expect one id, however many make it at once."""
    with ThreadPoolExecutor(16) as threads:
        made = set(threads.map(lambda _: home_id(tmp_path / "slots"), range(64)))
    assert len(made) == 1


@pytest.mark.parametrize("left", ["", "0f3", "\0" * 12, "x" * 12])
def test_an_id_that_a_crash_left_half_written_is_made_anew(left: str, tmp_path: Path) -> None:
    """I expect twelve hexadecimal digits, and the same ones from then on."""
    (tmp_path / HOME_ID).write_text(left)
    made = home_id(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", made)
    assert home_id(tmp_path) == made


def test_who_reads_other_topics_is_another_member() -> None:
    """I expect the order of the topics to make no difference, and each topic and the address to make one."""
    name = reading("w", "http://a:1", ["x", "y"])
    assert name == reading("w", "http://a:1", ["y", "x"])
    assert len({name, *(reading("w", *other) for other in (("http://a:2", "xy"), ("http://a:1", "x")))}) == 3
