"""A home's ports stay the same as long as nobody else takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamapp.embedded import ports


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that somebody else has; no socket is opened."""
    taken: set[int] = set()
    monkeypatch.setattr(ports, "is_free", lambda host, port: port not in taken)
    monkeypatch.setattr(ports, "free_port", lambda host="127.0.0.1": 50_000)
    return taken


def test_the_preferred_port_when_it_is_free(tmp_path: Path, busy: set[int]) -> None:
    """I expect it to be written down for next time."""
    assert ports.choose(tmp_path, "broker", 9092) == 9092
    assert ports.remembered(tmp_path, "broker") == 9092


def test_last_times_port_before_the_preferred_one(tmp_path: Path, busy: set[int]) -> None:
    """I expect an address shown yesterday to work today."""
    (tmp_path / "ports.json").write_text(json.dumps({"broker": 4711}))
    assert ports.choose(tmp_path, "broker", 9092) == 4711


def test_a_taken_port_is_replaced_and_the_others_kept(tmp_path: Path, busy: set[int]) -> None:
    """I expect any free one when both last time's and the preferred one are taken."""
    (tmp_path / "ports.json").write_text(json.dumps({"broker": 4711, "mailbox": 1025}))
    busy.update({4711, 9092})
    assert ports.choose(tmp_path, "broker", 9092) == 50_000
    assert ports.remembered(tmp_path, "broker") == 50_000
    assert ports.remembered(tmp_path, "mailbox") == 1025


@pytest.mark.parametrize("content", ["", "{", "[]", '{"broker": "x"}', '{"broker": 70000}', '{"broker": true}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, busy: set[int], content: str) -> None:
    """I expect a port, not a traceback."""
    (tmp_path / "ports.json").write_text(content)
    assert ports.choose(tmp_path, "broker", 9092) == 9092
