"""docs/tasks.md says what is: its tasks, and the unit test of one, are run as they stand."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamapp.errors import BadDocument, ConfigurationError
from streamapp.tasks.contract import Task
from streamapp.testing.trial import tried
from tests.pages_code import files_of

ROOT = Path(__file__).resolve().parents[2]
FILES = files_of(ROOT / "docs" / "tasks.md")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all of the page's files in it."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def the(module: str, name: str) -> type[Task]:
    """A task of the page's."""
    found: type[Task] = getattr(importlib.import_module(module), name)
    return found


def test_the_page_has_its_files() -> None:
    """Two tasks, and a test of each kind."""
    assert list(FILES) == ["lines.py", "loudest.py", "test_loudest.py", "test_deployed.py"]


def test_without_a_model_and_with_a_plot() -> None:
    """A report with its plot; and a sentence about a text that is none."""
    trial = tried(the("lines", "Lines"), "one\nseventeen\n")
    assert trial.report.text == "2 lines, the longest has 9 letters."
    assert trial.report.plot is not None
    assert trial.report.plot.png.startswith(b"\x89PNG")
    assert trial.items == 0


def test_a_document_that_the_task_refuses(tmp_path: Path) -> None:
    """I expect the task's own words, of a text and of a file."""
    (tmp_path / "one.txt").write_text("one")
    for document in ("one", tmp_path / "one.txt"):
        with pytest.raises(BadDocument, match=r"^There is nothing to compare: it has no second line\.$"):
            tried(the("lines", "Lines"), document)


def test_of_what_is_named_wrongly() -> None:
    """The same words as those of the command."""
    with pytest.raises(ConfigurationError, match="fast"):
        tried(the("lines", "Lines"), "one", {"fast": True})


def test_the_unit_test_passes(here: Path) -> None:
    """In a process of its own, with pytest as its reader starts it."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_loudest.py"]
    ran = subprocess.run(command, cwd=here, env=environ, capture_output=True, text=True, check=False)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
