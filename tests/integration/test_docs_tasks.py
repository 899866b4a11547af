"""The test of a task on a real deployment that docs/tasks.md has, run as it stands from a folder with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages_code import files_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(240)
def test_the_page_s_test_passes(broker: str, tmp_path: Path) -> None:
    """I expect the worker to find the task in the folder that pytest was started in."""
    for name, code in files_of(ROOT / "docs" / "tasks.md").items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "STREAMAPP_TEST_BROKER": broker}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_deployed.py"]
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
