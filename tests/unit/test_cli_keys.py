"""What `streamapp keys create` says beside the key, such as that keys are asked for now; what `list` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamapp import cli_store
from streamapp.cli_keys import keys
from streamapp.settings import Settings

FROM_NOW_ON = "In a few seconds, once every worker has seen it, each request and page needs a key."
NO_ADMIN = "No key may administer yet"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store without keys."""
    monkeypatch.setattr(cli_store, "load_settings", lambda: Settings(home=tmp_path))
    return tmp_path


def create(*arguments: str) -> tuple[str, str]:
    """The key that was printed, and what was said beside it."""
    result = CliRunner().invoke(keys, ["create", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_what_the_first_key_changes(home: Path) -> None:
    """I expect it to be said once, and the lack of an operator's key until there is one; the key stands alone."""
    key, said = create("anna-laptop", "--tenant", "anna")
    assert key.startswith("streamapp_")
    assert key.count("\n") == 1
    assert FROM_NOW_ON in said
    assert NO_ADMIN in said
    _, said = create("ben-laptop", "--tenant", "ben")
    assert FROM_NOW_ON not in said
    assert NO_ADMIN in said
    _, said = create("operator", "--scope", "admin")
    assert NO_ADMIN not in said
    _, said = create("carla-laptop")
    assert (FROM_NOW_ON in said, NO_ADMIN in said) == (False, False)


def test_keys_that_were_revoked_are_none(home: Path) -> None:
    """I expect the next one to be told as the first."""
    create("operator", "--scope", "admin")
    identity = CliRunner().invoke(keys, ["list"]).stdout.split()[0]
    assert CliRunner().invoke(keys, ["revoke", identity]).exit_code == 0
    _, said = create("anna-laptop")
    assert FROM_NOW_ON in said
    assert NO_ADMIN in said


def test_until_when(home: Path) -> None:
    """I expect a key that was revoked to say since when, and others until when they can be used."""
    create("anna-laptop")
    create("ben-laptop", "--days", "3")
    identity = CliRunner().invoke(keys, ["list"]).stdout.split()[0]
    assert CliRunner().invoke(keys, ["revoke", identity]).exit_code == 0
    create("carla-laptop")
    revoked, limited, endless = CliRunner().invoke(keys, ["list"]).stdout.splitlines()
    assert re.search(r" revoked .* since 20\d\d-\d\d-\d\d ", revoked)
    assert re.search(r" usable .* until 20\d\d-\d\d-\d\d ", limited)
    assert re.search(r" usable .* until revoked ", endless)
