"""The store and the topics are not of one age: an older backup was restored, or the broker is new and empty."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
BOOK = "".join(f"Sentence {number} of a book that takes a while. " for number in range(9600))
LONG_S = 180.0
ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}


@pytest.fixture
def busy(broker: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment in which a book takes hundreds of chunks."""
    with Deployment(broker, tmp_path, {**ECHO, "STREAMAPP_CHUNK_ITEMS": "1"}) as running:
        yield running


def test_an_older_backup_is_restored(busy: Deployment, tmp_path: Path) -> None:
    """Every accepted job ends, no Message-ID is there twice, and a command settles what nobody can know."""
    before = [_echo(busy, f"before {number}") for number in range(3)]
    for job in before:
        busy.finished(job, LONG_S)
    busy.mails(3, LONG_S)
    book = busy.submit({"task": "echo", "text": BOOK, "email": "book@localhost", "params": {"chunk": 100}})
    until(lambda: busy.job(book)["progress"]["done"], LONG_S, "the book to be in work")
    copy = tmp_path / "copy.db"
    said = _streamapp(busy, "backup", str(copy))
    since = re.search(r"as of (\S+)", said)
    assert since is not None
    assert _status(copy, book) == "running"
    after = [_echo(busy, f"after {number}") for number in range(3)]
    for job in (book, *after):
        busy.finished(job, LONG_S)
    busy.mails(7, LONG_S)
    late = [_echo(busy, f"late {number}") for number in range(2)]
    busy.stop()
    mailed = _mailed(busy)
    assert set(mailed.values()) == {1}

    _restore(busy, copy)
    with pytest.raises(RuntimeError, match=r"ended with 78(.|\n)*run `streamapp rewind --since"):
        busy.start()
    busy.stop()
    said = _streamapp(busy, "rewind", "--since", since.group(1))
    assert "Jobs entered again: 5 " in said
    busy.start()

    for job in (*before, book, *after, *late):
        assert busy.finished(job, LONG_S)["status"] == "succeeded"
    doubtful = len(mailed) - len(before)
    until(lambda: len(_parked(busy)) >= doubtful, LONG_S, "the e-mails to be parked that may have gone")
    until(lambda: len(_mailed(busy)) + len(_parked(busy)) - doubtful >= 9, LONG_S, "the others to be sent")
    assert set(_mailed(busy).values()) == {1}

    again, *arrived = _parked(busy)
    settled = _streamapp(busy, "deliveries", "settle", *arrived, "--as", "sent")
    assert settled.splitlines() == [f"{each}: sent" for each in arrived]
    _streamapp(busy, "deliveries", "settle", again, "--as", "resend")
    until(lambda: _mailed(busy).total() == len(_mailed(busy)) + 1, LONG_S, "the one that was asked for")
    assert _parked(busy) == []
    assert _mailed(busy)[f"<{again}@localhost>"] == 2


def test_a_rewind_waits_for_no_worker(busy: Deployment) -> None:
    """It is refused while one runs: both would write what the other does not know."""
    busy.finished(_echo(busy, "first"), LONG_S)
    done = _run(busy, "rewind", "--since", "2020-01-01")
    assert done.returncode == 78
    assert "stop them all first" in done.stderr
    busy.stop()
    assert "Jobs entered again: 0 (known: 1" in _streamapp(busy, "rewind", "--since", "2020-01-01")


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on a broker of its own, whose predictor waits for a file `go`."""
    settings = {
        "STREAMAPP_TASKS": "tests.integration.waiting_task:Waiting",
        "STREAMAPP_ONLY_TASKS": '["echo", "waiting"]',
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
        "WAITING": str(tmp_path),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STREAMAPP_TEST_BROKER", raising=False)
        with kafka_broker() as address, Deployment(address, tmp_path / "deployment", settings) as running:
            yield running


def test_a_broker_that_is_new_and_empty(waiting: Deployment, tmp_path: Path) -> None:
    """What is open is published again and ends, what has ended stays, and nothing is mailed twice."""
    ended = [_echo(waiting, f"ended {number}") for number in range(20)]
    for job in ended:
        waiting.finished(job, LONG_S)
    waiting.mails(20, LONG_S)
    body = {"task": "waiting", "text": "It waits.", "email": "r@localhost"}
    flying = [waiting.submit(body), waiting.submit(body)]
    until((tmp_path / "begun").exists, LONG_S, "the waiting one to be at it")
    waiting.kill("streamapp")
    waiting.stop()
    (tmp_path / "go").touch()
    with kafka_broker() as address:
        waiting.environment["STREAMAPP_BROKER"] = address
        waiting.start()

        for job in (*ended, *flying):
            assert waiting.finished(job, LONG_S)["status"] == "succeeded"
        waiting.mails(22, LONG_S)
        assert waiting.finished(_echo(waiting, "new"), LONG_S)["status"] == "succeeded"
        waiting.mails(23, LONG_S)
        assert set(_mailed(waiting).values()) == {1}
        waiting.stop()


def _echo(deployment: Deployment, text: str) -> str:
    return deployment.submit({"task": "echo", "text": text, "email": "r@localhost"})


def _run(deployment: Deployment, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streamapp.cli", *words],
        env=deployment.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _streamapp(deployment: Deployment, *words: str) -> str:
    done = _run(deployment, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _restore(deployment: Deployment, copy: Path) -> None:
    """As docs/operations.md says."""
    for end in ("", "-wal", "-shm"):
        (deployment.home / f"streamapp.db{end}").unlink(missing_ok=True)
    shutil.copy(copy, deployment.home / "streamapp.db")


def _status(store: Path, job: str) -> str:
    with closing(sqlite3.connect(store)) as connection:
        (found,) = connection.execute("SELECT status FROM jobs WHERE id = ?", (job,)).fetchone()
    return str(found)


def _parked(deployment: Deployment) -> list[str]:
    items = deployment.http.get("/v1/deliveries/parked").json()["items"]
    return [str(each["id"]) for each in items]


def _mailed(deployment: Deployment) -> Counter[str]:
    return Counter(str(mail["Message-ID"]).strip() for mail in deployment.mails(0))
