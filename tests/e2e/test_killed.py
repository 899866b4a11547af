"""`streamapp up` as a user has it, with kill -9 at each of its parts in the middle of a book."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from streamapp.embedded.ports import free_port
from streamapp.testing.deployment import FINAL, until

pytestmark = pytest.mark.timeout(900)

WAYS = {
    "model worker": ("-m", "faust", "-A", "streamapp.inference"),
    "worker": ("-m", "faust", "-A", "streamapp"),
    "broker": ("kafka.Kafka",),
}


class Running:
    """`streamapp up` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10.0, trust_env=False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
        environment |= {"STREAMAPP_HOME": str(home), "STREAMAPP_WEB_PORT": str(self.port)}
        self.output = home.parent / "up.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamapp.cli", "up"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, path: str) -> Any:
        """A JSON answer, or None while nothing answers."""
        try:
            answer = self.http.get(path)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def processes(self) -> list[psutil.Process]:
        """Everything that was started, below `up`."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self, who: str) -> None:
        """kill -9."""
        for process in self.processes():
            line = process.cmdline()
            words = WAYS[who]
            if any(tuple(line[start : start + len(words)]) == words for start in range(len(line))):
                os.kill(process.pid, signal.SIGKILL)
                return
        raise AssertionError(f"no {who} to kill")

    def mails(self) -> list[Path]:
        """The files in the mailbox."""
        return sorted((self.home / "mail" / "new").glob("*"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """`streamapp up`, ended with everything below it."""
    up = Running(tmp_path / "home")
    try:
        yield up
    finally:
        left = up.processes()
        up.process.kill()
        up.process.wait(10)
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        up.http.close()


def test_a_book_survives_kills_and_is_mailed_once(running: Running, books: Path) -> None:
    """Each of the three is killed once while the book is in work; one e-mail and one notification arrive."""
    until(lambda: running.ask("/readyz"), 120, f"`up` to be ready; see {running.output}")
    until(lambda: len(running.mails()) == 1, 120, "the first job's e-mail")
    book = (books / "sherlock-holmes.txt").read_bytes()
    answer = running.http.post(
        "/v1/jobs", data={"task": "summarize", "email": "r@localhost"}, files={"file": ("book.txt", book)}
    )
    path = answer.headers["Location"]
    seen = 0
    for share, who in ((0.05, "model worker"), (0.3, "worker"), (0.6, "broker")):
        until(functools.partial(_has, running, path, share), 300, f"{share:.0%} of the book")
        running.kill(who)
        done = until(lambda: (running.ask(path) or {}).get("progress"), 60, f"an answer after the {who} was killed")
        assert done["done"] >= seen
        seen = done["done"]

    job = until(lambda: _final(running.ask(path)), 300, "the book to end")

    assert job["status"] == "succeeded", job["error"]
    until(lambda: all(each["state"] == "sent" for each in running.ask(path)["deliveries"]), 60, "its deliveries")
    assert len(running.mails()) == 2
    lines = running.ask("/v1/notifications")["items"]
    assert [line["event"] for line in lines if line["job_id"] == job["id"]] == ["succeeded"]


def test_ctrl_c_leaves_no_process_behind(running: Running) -> None:
    """An interrupt ends everything within 10 seconds."""
    until(lambda: "Ctrl-C stops everything" in running.output.read_text(), 120, f"`up` to be up; see {running.output}")
    started = running.processes()

    os.kill(running.process.pid, signal.SIGINT)

    assert running.process.wait(10) == 0
    assert [process for process in started if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def _has(running: Running, path: str, share: float) -> bool:
    progress = (running.ask(path) or {}).get("progress", {"done": 0, "total": 0})
    return bool(progress["total"]) and progress["done"] / progress["total"] >= share


def _final(job: Any) -> Any:
    return job if job and job["status"] in FINAL else None
