"""A stable number for each worker on a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamapp import slots
from streamapp.errors import ConfigurationError
from streamapp.slots import take_slot

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
