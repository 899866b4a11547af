"""Ctrl-C ends every command quietly, in the middle of its imports too."""

from __future__ import annotations

import configparser
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# as a terminal's shell starts it: one that runs in the background has it ignore SIGINT
FOREGROUND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
STARTS = {
    "python -m streamapp": "import runpy; runpy.run_module('streamapp', run_name='__main__', alter_sys=True)",
    "the script": "from streamapp.__main__ import main; main()",
}
# stands in for a library, and is imported for as long as it takes; what interrupts it is taken for something else
LIBRARY = """
import time
print("importing", flush=True)
try:
    for _ in range(6000):
        time.sleep(0.01)  # a signal that comes just before a sleep begins is heard of when that one ends
except BaseException as error:
    raise error if {faithful} else ImportError("half of me is missing") from error
"""


def interrupted(folder: Path, library: str, words: list[str], start: str, *, faithful: bool) -> tuple[int, str]:
    """The exit code and the lines on stderr of a command that gets Ctrl-C while it imports that library."""
    (folder / f"{library}.py").write_text(LIBRARY.format(faithful=faithful), encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "STREAMAPP_HOME": str(folder / "home")}
    command = [sys.executable, "-c", f"{FOREGROUND}; {start}", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    return process.returncode, said.strip()


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
@pytest.mark.parametrize("faithful", [True, False])
def test_while_the_commands_are_imported(tmp_path: Path, start: str, faithful: bool) -> None:
    """I expect 130 and not a word, also where a library makes another error of the interrupt."""
    assert interrupted(tmp_path, "click", ["--version"], start, faithful=faithful) == (130, "")


def test_while_a_command_imports_its_own(tmp_path: Path) -> None:
    """I expect the same: `up` imports what it needs when it is called."""
    start = STARTS["the script"]
    assert interrupted(tmp_path, "psutil", ["up"], start, faithful=True) == (130, "")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("before", ["SIG_IGN", "default_int_handler"])
def test_what_was_so_before(before: str) -> None:
    """I expect SIGINT to stay ignored for who had it ignored, as under nohup; and else commands to hear of it again."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.{before}); import sys, streamapp.__main__ as entry\n"
    code += "sys.argv[1:] = ['--version']\n"
    code += f"try: entry.main()\nfinally: print(signal.getsignal(signal.SIGINT) is signal.{before})"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "True"


def test_the_script_starts_there() -> None:
    """What `pip install` makes the command of."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    module, _, name = config["options.entry_points"]["console_scripts"].partition("=")[2].strip().partition(":")
    assert module == "streamapp.__main__"
    assert callable(getattr(importlib.import_module(module), name))
