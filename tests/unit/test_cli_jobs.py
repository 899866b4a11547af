"""What `streamapp jobs` and its commands ask for, as far as they need no worker."""

from __future__ import annotations

import httpx
import pytest
from click.testing import CliRunner, Result

from streamapp import cli_jobs
from streamapp.cli import cli
from streamapp.client import Client
from tests.unit.client.world import URL


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What the API was asked, which has no job."""
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200, json={"items": [], "next": None})

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
