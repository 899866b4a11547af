"""A fail point kills once, where it says, and does nothing otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from streamapp.faults import VARIABLE

CROSSES = "from streamapp.faults import cross; cross('here'); print('alive')"


def crossing(folder: Path | None) -> subprocess.CompletedProcess[str]:
    """A process that comes by the point `here`."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if folder is not None:
        environment[VARIABLE] = str(folder)
    return subprocess.run([sys.executable, "-c", CROSSES], env=environment, capture_output=True, text=True, check=False)


def test_it_kills_once(tmp_path: Path) -> None:
    """I expect the first process that comes by to die of SIGKILL, and the next to pass."""
    (tmp_path / "here").touch()
    assert crossing(tmp_path).returncode == -signal.SIGKILL
    assert crossing(tmp_path).stdout == "alive\n"


def test_it_does_nothing_unasked(tmp_path: Path) -> None:
    """I expect no process to die at another point, nor without the variable."""
    (tmp_path / "there").touch()
    assert crossing(tmp_path).stdout == "alive\n"
    assert crossing(None).stdout == "alive\n"
