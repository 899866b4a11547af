"""The commands for webhooks' secrets, and the receiver for developers as far as it needs no network."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamapp import cli_store, cli_webhooks
from streamapp.cli_keys import keys
from streamapp.cli_webhooks import listen, webhooks
from streamapp.delivery.listen import Received, shown
from streamapp.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of the test's own."""
    settings = Settings(home=tmp_path)
    for module in (cli_store, cli_webhooks):
        monkeypatch.setattr(module, "load_settings", lambda: settings)


def secret(*words: str) -> Result:
    """`streamapp webhooks secret …`."""
    result = CliRunner().invoke(webhooks, ["secret", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_a_secret_from_its_making_to_its_end() -> None:
    """It is made once, for a while there are two, and then the new one is alone."""
    first = secret("show").output.strip()
    assert first.startswith("whsec_")
    assert secret("show").output.strip() == first
    newest, old = secret("rotate", "--keep", "2").output.splitlines()
    assert old.startswith(f"{first}  until ")
    assert newest != first
    assert secret("expire").output == "It is gone.\n"
    assert secret("show").output.strip() == newest
    assert secret("expire").output == "There was none but the newest.\n"


def test_each_tenant_has_its_own() -> None:
    """And a name that is none is refused."""
    assert secret("show", "--tenant", "anna").output != secret("show").output
    assert secret("show", "--tenant", "a" * 65).exit_code == 2
    assert secret("rotate", "--keep", "-1").exit_code == 2


def test_a_secret_that_is_none() -> None:
    """Is refused before anything listens."""
    result = CliRunner().invoke(listen, ["--secret", "whsec_AAAA"])
    assert (result.exit_code, "24 to 64 bytes" in result.output) == (2, True)


def curl_line(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """The line that `streamapp listen` prints once it listens, which sockets that are blocked keep it from."""
    lines = []

    async def listens(*given: object) -> None:
        lines.append(str(given[-1]))

    monkeypatch.setattr(cli_webhooks, "_listen", listens)
    assert CliRunner().invoke(listen, list(words)).exit_code == 0
    [line] = lines
    return line


def test_the_line_to_try_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the key once there are keys, and only then; shows none; and can be read by a shell."""
    start = f"curl {Settings().link_base}/v1/jobs -H"
    assert curl_line(monkeypatch).startswith(start)
    assert CliRunner().invoke(keys, ["create", "laptop"]).exit_code == 0
    line = curl_line(monkeypatch, "--port", "6071")
    assert '-H "Authorization: Bearer $STREAMAPP_API_KEY" ' in line
    assert json.loads(shlex.split(line)[-1])["webhook"] == "http://127.0.0.1:6071/"
    assert curl_line(monkeypatch, "--secret", "whsec_" + "A" * 32).startswith(start)
    known = Settings(api_key="streamapp_secret")
    monkeypatch.setattr(cli_webhooks, "load_settings", lambda: known)
    line = curl_line(monkeypatch, "--secret", "whsec_" + "A" * 32)
    assert ("Bearer $STREAMAPP_API_KEY" in line, "streamapp_secret" in line) == (True, False)


def test_what_is_shown_of_a_post() -> None:
    """Its id, whether it is right, how often it came, and the body, which may come from anybody, in ASCII."""
    body = json.dumps({"type": "job.succeeded", "name": "\x1b[2J ü"}).encode()
    text = shown(Received("id\x1b", body, None, 2))
    assert text.startswith("webhook id\\x1b, for the 2. time: signature ok\n{")
    bad = shown(Received("", b"\xff\x1b", "no signature fits", 1))
    assert "REFUSED: no signature fits" in bad
    assert (text + bad).isascii()
    assert "\x1b" not in text + bad
