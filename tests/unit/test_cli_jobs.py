"""What `streamapp jobs` and its commands ask for, as far as they need no worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from streamapp import cli_jobs, cli_operators, cli_send
from streamapp.cli import cli
from streamapp.client import Client
from streamapp.errors import StreamappError
from tests.unit.client.world import ID, JOB, URL, job, problem


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What the API was asked, which lists no job and tries each again."""
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return (
            job("queued", run=2) if request.method == "POST" else httpx.Response(200, json={"items": [], "next": None})
        )

    monkeypatch.setattr(cli_jobs, "client_of", lambda _: Client(URL, transport=httpx.MockTransport(answer)))
    return got


def run(*words: str) -> Result:
    """The command."""
    return CliRunner().invoke(cli, ["jobs", *words])


@pytest.mark.parametrize(
    "words",
    [
        ("--status", "failed,expired,cancelled"),
        ("--status", "failed, expired", "--status", "cancelled"),
        ("--status", "failed", "--status", "expired", "--status", "cancelled"),
    ],
)
def test_several_statuses(asked: list[httpx.Request], words: tuple[str, ...]) -> None:
    """I expect commas and repeated options to be asked for in the same way."""
    assert run(*words).exit_code == 0
    assert [each.url.params["status"] for each in asked] == ["failed,expired,cancelled"]


@pytest.mark.parametrize(("said", "wrong"), [("failed,done", "'done'"), ("failed,", "''"), ("", "''")])
def test_a_status_that_is_none(asked: list[httpx.Request], said: str, wrong: str) -> None:
    """I expect the one among several that is wrong, those that there are, and no question to the API."""
    ran = run("--status", said)
    assert (ran.exit_code, asked) == (2, [])
    assert f"'--status': {wrong} is not one of 'queued', 'running'" in " ".join(ran.output.split())


def bodies(asked: list[httpx.Request]) -> list[Any]:
    """Of what was asked."""
    return [json.loads(each.content) for each in asked]


def test_a_retry_with_another_deadline(asked: list[httpx.Request]) -> None:
    """I expect the time for each job, and that it is then, where it is said from now."""
    moment = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    assert run("retry", ID, ID, "--deadline", moment).exit_code == 0
    assert bodies(asked) == [{"deadline": moment}] * 2
    before = datetime.now(UTC)
    assert run("retry", ID, "--deadline", "2h").exit_code == 0
    sent = datetime.fromisoformat(bodies(asked)[-1]["deadline"])
    assert before <= sent - timedelta(hours=2) <= datetime.now(UTC)


def test_a_retry_without_one(asked: list[httpx.Request]) -> None:
    """I expect nothing to be said of it, so that one that lies ahead stays."""
    assert run("retry", ID).exit_code == 0
    assert bodies(asked) == [{}]


def test_a_deadline_that_is_none(asked: list[httpx.Request]) -> None:
    """I expect what would be right, and no job to run again."""
    ran = run("retry", ID, "--deadline", "soon")
    assert (ran.exit_code, asked) == (2, [])
    assert "say how long from now, like 90m, 2h or 3d" in " ".join(ran.output.split())


GONE = "0192f0c1-2b3a-7c4d-8e5f-000000000000"


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What the API was asked, which has every job and every letter but those of GONE."""
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        if GONE in request.url.path or "/8" in request.url.path:
            return problem(404, "There is no such job.")
        return httpx.Response(204) if request.url.path.endswith("/data") else job("cancelled", state="redriven")

    for module in (cli_jobs, cli_operators, cli_send):
        monkeypatch.setattr(module, "client_of", lambda _: Client(URL, transport=httpx.MockTransport(answer)))
    return got


@pytest.mark.parametrize(
    ("words", "done"), [("cancel", "cancelled"), ("retry", "cancelled, run 1"), ("delete", "deleted")]
)
def test_one_that_is_not_there(missing: list[httpx.Request], words: str, done: str) -> None:
    """I expect it to be named with the reason, those beside it to be done, and 1 for all."""
    ran = run(words, ID, GONE, ID)
    assert ran.stdout.splitlines() == [f"{ID}: {done}"] * 2
    assert ran.stderr.splitlines() == [f"{GONE}: 404 No: There is no such job."]
    assert (ran.exit_code, len(missing)) == (1, 3)
    assert run(words, ID).exit_code == 0


def test_a_letter_that_is_not_there(missing: list[httpx.Request]) -> None:
    """I expect the number that was typed, and the others to be sent again."""
    ran = CliRunner().invoke(cli, ["dead-letters", "redrive", "8", "7"])
    assert (ran.exit_code, ran.stdout, len(missing)) == (1, "7: redriven\n", 2)
    assert ran.stderr.startswith("8: 404 ")


@pytest.mark.parametrize("words", [("job", GONE), ("dead-letters", "show", "8")])
def test_a_single_one_that_is_not_there(missing: list[httpx.Request], words: tuple[str, ...]) -> None:
    """I expect its id in the sentence, which the API's answer does not have."""
    with pytest.raises(StreamappError, match=f"^{words[-1]}: 404 No: There is no such job"):
        CliRunner().invoke(cli, words, catch_exceptions=False)


def test_a_line_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the first line of a reason that has several, the job's and its e-mail's, and a mark that more follow."""
    mail = {
        "id": "d",
        "job_id": ID,
        "kind": "email",
        "recipient": "a@b.example",
        "state": "dead",
        "attempts": 2,
        "next_attempt_at": None,
        "sent_at": None,
        "last_error": "550 no\n550 really not",
    }
    listed = [
        {**JOB, "status": "failed", "error": "the first\n\nthe second", "deliveries": [mail]},
        {**JOB, "status": "failed", "error": "only one"},
    ]
    page = httpx.MockTransport(lambda _: httpx.Response(200, json={"items": listed, "next": None}))
    monkeypatch.setattr(cli_jobs, "client_of", lambda _: Client(URL, transport=page))
    ran = run()
    assert ran.exception is None
    lines = ran.output.splitlines()
    assert [line.rpartition("  ")[2] for line in lines[::2]] == ["the first …", "only one"]
    assert lines[1].endswith(" dead, 2 attempts: 550 no …")
    assert len(lines) == 3


def test_all_of_a_task_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect page after page, until there are no more, and how many there were."""
    got: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"changed": 2, "next": "more" if len(got) == 1 else None})

    monkeypatch.setattr(cli_jobs, "client_of", lambda _: Client(URL, transport=httpx.MockTransport(answer)))
    told = run("cancel", "--task", "gone")
    assert (told.exit_code, told.output) == (0, "4 jobs cancelled\n")
    path = "/v1/jobs/cancel"
    assert got == [(path, {"task": "gone"}), (path, {"task": "gone", "cursor": "more"})]


@pytest.mark.parametrize("words", [[], [ID, "--task", "gone"]])
def test_what_to_cancel_is_said_once(asked: list[httpx.Request], words: list[str]) -> None:
    """I expect nothing to be sent where it is not clear which are meant."""
    assert run("cancel", *words).exit_code == 2
    assert not asked
