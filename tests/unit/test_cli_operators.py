"""What `streamapp dead-letters` asks for, as far as it needs no worker."""

from __future__ import annotations

import json

import httpx
import pytest
from click.testing import CliRunner

from streamapp import cli_operators
from streamapp.cli import cli
from streamapp.client import Client
from tests.unit.client.world import URL


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What the API was asked."""
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200, json={"state": "redriven", "redriven": 2, "refused": 0})

    monkeypatch.setattr(cli_operators, "client_of", lambda _: Client(URL, transport=httpx.MockTransport(answer)))
    return got


@pytest.mark.parametrize("what", ["redrive", "discard"])
@pytest.mark.parametrize(
    ("words", "wanted"), [(["--all"], {"state": "open"}), (["--topic", "email"], {"topic": "email"})]
)
def test_many_at_once(asked: list[httpx.Request], what: str, words: list[str], wanted: dict[str, str]) -> None:
    """I expect all that are open to be asked for by that word, and a filter as it is."""
    assert CliRunner().invoke(cli, ["dead-letters", what, *words]).exit_code == 0
    (request,) = asked
    assert request.url.path == f"/v1/dead-letters/{what}"
    assert json.loads(request.content) == wanted


@pytest.mark.parametrize("words", [[], ["7", "--all"], ["--all", "--job", "a"], ["7", "--topic", "email"]])
def test_it_is_said_which(asked: list[httpx.Request], words: list[str]) -> None:
    """I expect nothing to be sent, and the ways to say which to be named."""
    told = CliRunner().invoke(cli, ["dead-letters", "redrive", *words])
    assert (told.exit_code, asked) == (2, [])
    assert "--all" in told.output
