"""One `up` has a home; a full disk is said before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamapp.embedded import StartError
from streamapp.embedded.home import HomeLock, holder, require_space


def test_a_second_lock_names_the_holder(tmp_path: Path) -> None:
    """I expect one sentence with the home and the process that has it."""
    with HomeLock(tmp_path), pytest.raises(StartError, match=rf"already up with the home {tmp_path} \(process \d+\)"):
        HomeLock(tmp_path).__enter__()


def test_the_lock_is_free_again(tmp_path: Path) -> None:
    """I expect no trace of a lock that was left, nor of one that was refused."""
    with HomeLock(tmp_path), pytest.raises(StartError):
        HomeLock(tmp_path).__enter__()
    with HomeLock(tmp_path):
        assert (tmp_path / "logs").is_dir()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """I expect the sentence to name the variable to set."""
    (tmp_path / "home").write_text("")
    with pytest.raises(StartError, match="STREAMAPP_HOME"):
        HomeLock(tmp_path / "home").__enter__()


def test_a_nearly_full_disk_is_refused(tmp_path: Path) -> None:
    """I expect what is left and what is needed."""
    with pytest.raises(StartError, match=r"nearly full \(\d+ MiB left, 999999999999 MiB are needed\)"):
        require_space(tmp_path, 999_999_999_999)
    require_space(tmp_path, 0)


def test_who_has_a_home(tmp_path: Path) -> None:
    """I expect the process that has it, nobody before and after it, and the lock to be free all the while."""
    assert holder(tmp_path) is None
    with HomeLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None  # its id is in the file still, and it lives
    with HomeLock(tmp_path):
        pass
    (tmp_path / "up.lock").write_text("no number\n")
    assert holder(tmp_path) is None
