"""What `streamapp jobs` and its commands ask for, as far as they need no worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from streamapp import cli_jobs
from streamapp.cli import cli
from streamapp.client import Client
from tests.unit.client.world import ID, URL, job


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
