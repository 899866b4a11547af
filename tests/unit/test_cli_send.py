"""What `streamapp submit` sends, as far as it needs no worker; and what it refuses, in words that name the option."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from click.testing import CliRunner, Result

from streamapp import cli_send
from streamapp.cli import cli
from streamapp.client import Client
from streamapp.intake.submission import HIGHEST_PRIORITY, LOWEST_PRIORITY, parse_submission
from tests.unit.client.test_calls import form_of
from tests.unit.client.world import ID, JOB, URL

ROOT = Path(__file__).resolve().parents[2]
BOOK = b"It was a dark and stormy night.\n"


class Api:
    """Takes every job, the first time only after so many refusals; keeps what it was sent."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.asked: list[dict[str, tuple[dict[str, str], bytes]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to one."""
        request.read()
        self.asked.append(form_of(request))
        if len(self.asked) <= self.refusals:
            return httpx.Response(503, json={"title": "Busy", "status": 503, "detail": "Later."})
        return httpx.Response(202, json=JOB)

    def fields(self) -> dict[str, str]:
        """Of the last one, but for its file."""
        return {name: content.decode() for name, (_, content) in self.asked[-1].items() if name != "file"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API that the command speaks to."""
    there = Api()
    transport = httpx.MockTransport(there.answer)
    monkeypatch.setattr(cli_send, "client_of", lambda _: Client(URL, transport=transport, sleep=lambda _: None))
    return there


@pytest.fixture
def book(tmp_path: Path) -> str:
    """A file to send."""
    path = tmp_path / "book.txt"
    path.write_bytes(BOOK)
    return str(path)


def submit(*words: str, given: bytes | BinaryIO | None = None) -> Result:
    """The command, with that on its standard input."""
    return CliRunner().invoke(cli, ["submit", *words, "--task", "summarize"], input=given)


def piped(content: bytes) -> BinaryIO:
    """The end of a pipe from which that comes, once."""
    there, here = os.pipe()
    with os.fdopen(here, "wb") as pipe:
        pipe.write(content)
    return os.fdopen(there, "rb")


def test_a_file_with_all_that_a_job_may_have(api: Api, book: str) -> None:
    """I expect each option to be a field, as the intake takes it."""
    deadline = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds")
    ran = submit(
        book, "--priority", "-2", "--deadline", deadline, "--param", "n=2", "--email", "a@b.example", "--fresh"
    )
    assert (ran.exit_code, ran.output) == (0, f"job {ID}\n")
    expected = {"task": "summarize", "priority": "-2", "deadline": deadline, "params": '{"n": 2}', "fresh": "true"}
    assert api.fields() == expected | {"email": "a@b.example"}
    about, content = api.asked[0]["file"]
    assert (about, content) == ({"filename": "book.txt", "Content-Type": "text/plain"}, BOOK.strip())


@pytest.mark.parametrize(
    ("said", "ahead"),
    [("90s", 90), ("45m", 2700), ("45min", 2700), ("2h", 7200), ("1.5 h", 5400), ("30d", 30 * 86400)],
)
def test_a_deadline_from_now(api: Api, book: str, said: str, ahead: float) -> None:
    """I expect the time that it is then, which the intake takes."""
    before = datetime.now(UTC)
    assert submit(book, "--deadline", said).exit_code == 0
    sent = api.fields()["deadline"]
    assert before <= datetime.fromisoformat(sent) - timedelta(seconds=ahead) <= datetime.now(UTC)
    if said != "30d":  # which is the longest, to the second
        assert parse_submission({"task": "summarize", "deadline": sent}).deadline is not None


@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("--priority", "4", "say a whole number from -3 to 3"),
        ("--priority", "-4", "say a whole number from -3 to 3"),
        ("--priority", "high", "say a whole number from -3 to 3"),
        ("--priority", "1.5", "say a whole number from -3 to 3"),
        ("--deadline", "tomorrow", "say how long from now, like 90m, 2h or 3d, or a time like 20"),
        ("--deadline", "2h30", "say how long from now"),
        ("--deadline", "-2h", "say how long from now"),
        ("--deadline", "2099-01-31", "a date without a time: write it like 2099-01-31T12:00Z, or say how long from"),
        ("--deadline", "20990131", "a date without a time: write it like 2099-01-31T12:00Z"),
        ("--deadline", "2099-01-31T12:00", "without its offset (Z for UTC): write it like 2099-01-31T12:00Z"),
        ("--deadline", "2001-01-31T12:00Z", "must be in the future, and within 30 days"),
        ("--deadline", "2099-01-31T12:00Z", "must be in the future, and within 30 days"),
        ("--deadline", "31d", "must be in the future, and within 30 days"),
        ("--deadline", "999999999.5d", "must be in the future, and within 30 days"),
        ("--param", "n", "must look like NAME=VALUE"),
        ("--key", "ä", "printable ASCII"),
    ],
)
def test_a_wrong_value(api: Api, book: str, option: str, value: str, right: str) -> None:
    """I expect the option and what would be right, the code of wrong usage, and nothing sent."""
    ran = submit(book, option, value)
    said = " ".join(ran.output.split())
    assert ran.exit_code == 2
    assert option in said.partition("Error: ")[2].partition(":")[0]
    assert right in said
    assert api.asked == []


def test_a_key_beside_a_deadline(api: Api, book: str) -> None:
    """I expect one that is counted from now to be refused, since the second time it would be another job."""
    ran = submit(book, "--key", "order-1", "--deadline", "2h")
    assert (ran.exit_code, api.asked) == (2, [])
    assert "--deadline" in ran.output
    deadline = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    assert submit(book, "--key", "order-1", "--deadline", deadline).exit_code == 0


def test_the_help_has_the_bounds() -> None:
    """Those of the intake."""
    assert f"{LOWEST_PRIORITY} to {HIGHEST_PRIORITY};" in CliRunner().invoke(cli, ["submit", "--help"]).output


def test_standard_input(api: Api) -> None:
    """I expect all of it as the file, with no name and no type, so that its bytes say what it is."""
    assert submit("-", given=BOOK * 100_000).exit_code == 0
    about, content = api.asked[0]["file"]
    assert about == {}
    assert content == (BOOK * 100_000).strip()
    assert api.fields() == {"task": "summarize"}


def test_standard_input_with_a_name(api: Api) -> None:
    """I expect it to be called so, and taken for what a file of that name is; a type that is said comes first."""
    assert submit("-", "--name", "notes.md", given=BOOK).exit_code == 0
    assert api.asked[0]["file"][0] == {"filename": "notes.md", "Content-Type": "text/markdown"}
    assert api.fields()["name"] == "notes.md"
    assert submit("-", "--media-type", "text/html", given=BOOK).exit_code == 0
    assert api.asked[1]["file"][0] == {"Content-Type": "text/html"}


def test_standard_input_is_sent_again(api: Api) -> None:
    """I expect all of it the second time too, where the API says "later" the first time."""
    api.refusals = 1
    with piped(BOOK) as given:
        assert submit("-", given=given).exit_code == 0
    assert [sent["file"][1] for sent in api.asked] == [BOOK.strip()] * 2


@pytest.mark.parametrize(
    "shell",
    ['exec "$@" <&-', 'ulimit -f 1; head -c 1000000 /dev/zero | "$@"'],
    ids=["it is closed", "it does not fit"],
)
def test_standard_input_that_cannot_be_kept(shell: str) -> None:
    """I expect a sentence that says so, before anything is sent."""
    command = [sys.executable, "-B", "-m", "streamapp", "submit", "-", "--url", "http://127.0.0.1:1"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["sh", "-c", shell, "sh", *command], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("streamapp: Standard input can't be read and kept till it is sent: ")
    assert ran.stderr.count("\n") == 1


def test_no_such_file(api: Api) -> None:
    """I expect it to be named."""
    ran = submit("nowhere.txt")
    assert ran.exit_code == 2
    assert "'nowhere.txt' does not exist" in ran.output
