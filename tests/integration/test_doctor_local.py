"""`streamapp doctor` where the settings leave the broker to `streamapp up`, which does not run: that is one fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from streamapp.embedded.home import HomeLock
from streamapp.embedded.ports import choose, free_port
from streamapp.store.database import Database
from streamapp.store.migrate import migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

OF_UP = {"broker", "topics", "groups", "smtp", "api"}


def doctor(home: Path, **settings: str) -> dict[str, list[Any]]:
    """Its findings by check, with the default settings but for these; the exit code says whether there is a problem."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    given = {"home": str(home), "web_port": str(free_port()), "only_tasks": "echo", "default_task": "echo", **settings}
    named = {f"STREAMAPP_{name.upper()}": value for name, value in given.items()}
    command = [sys.executable, "-m", "streamapp", "doctor", "--json"]
    ran = subprocess.run(command, env={**clean, **named}, capture_output=True, text=True, timeout=90, check=False)
    body = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0 if body["ok"] else 1, "")
    return {check["name"]: check["findings"] for check in body["checks"]}


def problems(found: dict[str, list[Any]]) -> dict[str, str]:
    """What can't work, by check."""
    bad = {name: [each for each in findings if each["verdict"] == "problem"] for name, findings in found.items()}
    return {name: f"{each[0]['said']} {each[0]['advice']}" for name, each in bad.items() if each}


def skipped(found: dict[str, list[Any]]) -> set[str]:
    """What was not looked at."""
    return {name for name, findings in found.items() if findings[0]["verdict"] == "skipped"}


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A home as `up` leaves it: with ports on which nobody listens now, and a store."""
    (tmp_path / "logs").mkdir()
    for name in ("broker", "mailbox"):
        choose(tmp_path, name, free_port())
    database = Database(f"sqlite:///{tmp_path / 'streamapp.db'}")
    with closing(database):
        migrate(database)
    return tmp_path


def test_where_nothing_was_ever_started(tmp_path: Path) -> None:
    """I expect that alone and how to start it, everything of it skipped, the exit code of a problem, and no folder."""
    found = doctor(tmp_path / "home")
    assert list(problems(found)) == ["up"]
    assert f"was never started with the home {tmp_path / 'home'}. Start it: `streamapp up`" in problems(found)["up"]
    assert skipped(found) == {*OF_UP, "store"}
    assert not (tmp_path / "home").exists()


def test_after_it_was_stopped(stopped: Path) -> None:
    """I expect the same of what it brings; the store is there, and is looked at."""
    found = doctor(stopped)
    assert list(problems(found)) == ["up"]
    assert f"is not running with the home {stopped}. Start it: `streamapp up`" in problems(found)["up"]
    assert skipped(found) == OF_UP
    assert found["store"][0]["verdict"] == "ok"


def test_while_it_starts(stopped: Path) -> None:
    """I expect the process to be named in place of the advice to start another one, which it would refuse."""
    with HomeLock(stopped):
        found = doctor(stopped)
    assert list(problems(found)) == ["up"]
    assert f"(process {os.getpid()}), and its broker does not listen: it is being started" in problems(found)["up"]


class Worker(BaseHTTPRequestHandler):
    """Is well, whatever it is asked."""

    def do_GET(self) -> None:
        """The answer."""
        content = json.dumps({"status": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def another() -> Iterator[str]:
    """The port of a worker that has another home."""
    with HTTPServer(("127.0.0.1", 0), Worker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_in_another_folder(tmp_path: Path, another: str) -> None:
    """I expect to be told so where a worker answers all the same."""
    found = doctor(tmp_path, web_port=another)
    assert list(problems(found)) == ["up"]
    assert f"the worker that answers at http://127.0.0.1:{another} has another" in problems(found)["up"]
    assert found["api"][0]["verdict"] == "ok"


def test_what_is_named_keeps_its_own_words(stopped: Path) -> None:
    """I expect a mail server, a store and an address of the API that the settings name to be looked at beside it."""
    found = doctor(
        stopped,
        smtp_url=f"smtp://127.0.0.1:{free_port()}",
        public_url=f"http://127.0.0.1:{free_port()}",
        database_url=f"sqlite:///{stopped / 'other.db'}",
    )
    assert set(problems(found)) == {"up", "store", "smtp", "api"}
    assert "correct STREAMAPP_SMTP_URL" in problems(found)["smtp"]


def test_a_broker_that_is_named(stopped: Path) -> None:
    """I expect its own message as before, and not a word about `up`."""
    found = doctor(stopped, broker=f"127.0.0.1:{free_port()}")
    assert "up" not in found
    assert set(problems(found)) == {"broker", "smtp", "api"}
    assert "start it or correct STREAMAPP_BROKER" in problems(found)["broker"]
