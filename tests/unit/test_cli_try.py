"""`streamapp try` as it is typed: what it shows, and that it says so where the task's own code ends its process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = "Call me Ishmael.\n"
# which of its functions does what is the test's
ENDER = """
import os, signal, sys, time
from pydantic import BaseModel
from streamapp.tasks import Document, Params, Predictor, Report, Step, Task

def at(place):
    if place == os.environ["WHERE"]:
        exec(os.environ["WHAT"])

class Word(BaseModel):
    text: str

class Last(Predictor[Word, str, Word]):
    name, version, budget = "last", "1", 100

    def load(self, device):
        at("load")

    def prepare(self, item, document):
        at("prepare")
        return item.text

    def cost(self, ready):
        return 1

    def predict(self, batch):
        at("predict")
        return [Word(text=text) for text in batch]

class Only(Step[Document, Word, Report, Params]):
    predictors = (Last,)

    def split(self, document, params):
        at("split")
        yield Word(text="one")

    def reduce(self, results, params):
        at("reduce")
        return Report(subject="one", text="two")

class Ender(Task):
    name, accepts, params, steps = "ender", ("text/plain",), Params, (Only(),)

at("import")
"""
# as a terminal's shell starts it: one that runs in the background has it ignore SIGINT
FOREGROUND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from streamapp.__main__ import main; main()"
)
PLACES = ["import", "load", "prepare", "predict", "split", "reduce"]


def start(folder: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    """`streamapp try WORDS`, with a book and the ender's module in its folder."""
    (folder / "book.txt").write_text(BOOK, "utf-8")
    (folder / "ender.py").write_text(ENDER, "utf-8")
    wanted = {"STREAMAPP_DEVICE": "cpu", "STREAMAPP_HOME": str(folder), "PYTHONPATH": str(ROOT), **environ}
    return subprocess.Popen(
        [sys.executable, "-B", "-c", FOREGROUND, "try", *words],
        env={**os.environ, **wanted},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code and what it said."""
    with process:
        out, error = process.communicate(timeout=120)
    return process.returncode, out, error


def ender(folder: Path, where: str, what: str) -> subprocess.Popen[str]:
    """A task that does this there."""
    task = {"STREAMAPP_TASKS": "ender:Ender", "STREAMAPP_ONLY_TASKS": "ender", "STREAMAPP_DEFAULT_TASK": "ender"}
    return start(folder, "ender", "book.txt", WHERE=where, WHAT=what, **task)


def test_a_parameter_that_the_task_has_not(tmp_path: Path) -> None:
    """I expect it to say which there are."""
    said = "streamapp: params.size: there is no such field; there are chunk\n"
    assert ended(start(tmp_path, "echo", "book.txt", "--param", "size=3")) == (78, "", said)


def test_what_a_trial_shows(tmp_path: Path) -> None:
    """I expect the report's text for a program to read, and beside it the subject, and what is in its data."""
    code, out, error = ended(start(tmp_path, "echo", "book.txt"))
    assert (code, out) == (0, f"{BOOK}\n")
    assert re.fullmatch(r"subject: Echo of .+\ndata: characters, items \(\d+ bytes of JSON\)\n", error)


@pytest.mark.parametrize("where", PLACES)
def test_code_that_ends_its_process(tmp_path: Path, where: str) -> None:
    """I expect a sentence and no success, whichever function does it, and though it says that all is well."""
    said = "streamapp: The process that ran task ender ended with exit code 0; a worker's would end like it.\n"
    assert ended(ender(tmp_path, where, "os._exit(0)")) == (1, "", said)


def test_code_that_takes_too_much_memory(tmp_path: Path) -> None:
    """I expect the signal that a kernel without memory sends to be said so."""
    code, _, error = ended(ender(tmp_path, "predict", "os.kill(os.getpid(), signal.SIGKILL)"))
    assert code == 1
    assert "ended by SIGKILL, as happens where memory runs out; " in error


@pytest.mark.parametrize("where", PLACES)
def test_code_that_calls_sys_exit(tmp_path: Path, where: str) -> None:
    """I expect one sentence that says so."""
    code, out, error = ended(ender(tmp_path, where, "sys.exit('enough')"))
    said = "can't be imported: SystemExit: enough" if where == "import" else "called sys.exit('enough'): raise an"
    assert (code, out, error.count("\n")) == (78 if where == "import" else 1, "", 1)
    assert error.startswith("streamapp: ")
    assert said in error


def test_a_grandchild_holds_up_nothing(tmp_path: Path) -> None:
    """I expect the end of the task's process to be seen while one that it forked lives."""
    what = "child = os.fork()\nif not child: time.sleep(60)\nprint(child, flush=True)\nos._exit(3)"
    process = ender(tmp_path, "reduce", what)
    assert process.stdout is not None
    orphan = int(process.stdout.readline())
    try:
        assert process.wait(60) == 1
    finally:
        os.kill(orphan, signal.SIGKILL)
        ended(process)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_whoever_ends_it_ends_the_task(tmp_path: Path, number: int, code: int) -> None:
    """I expect nothing to go on behind it, however it ended: its output is at its end."""
    process = ender(tmp_path, "predict", "print('busy', flush=True); time.sleep(600)")
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    process.send_signal(number)
    assert ended(process) == (code, "", "\n" if number == signal.SIGINT else "")
