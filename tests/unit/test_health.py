"""What the containers' health checks look at."""

from __future__ import annotations

import importlib.util
import io
import json
import socket
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def health() -> ModuleType:
    """deploy/health.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("health", ROOT / "deploy" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answering(answers: dict[str, Any]) -> Any:
    """A urlopen that knows some addresses; the others answer 503."""

    def urlopen(request: Request, timeout: float) -> io.BytesIO:
        if request.full_url not in answers:
            raise HTTPError(request.full_url, 503, "Not ready", {}, None)  # type: ignore[arg-type]
        return io.BytesIO(json.dumps(answers[request.full_url]).encode())

    return urlopen


def test_a_jobs_worker_is_well_when_it_is_ready(health: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """/readyz answers with 200."""
    monkeypatch.setattr(health, "urlopen", answering({"http://jobs:6066/readyz": {"status": "ready"}}))
    assert health.main("jobs", "http://jobs:6066") is None


def test_a_jobs_worker_that_is_not_ready_is_not_well(health: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why."""
    monkeypatch.setattr(health, "urlopen", answering({}))
    assert "503" in health.main("jobs", "http://jobs:6066")


@pytest.mark.parametrize(("hosts", "well"), [([socket.gethostname()], True), (["another"], False), ([], False)])
def test_a_model_worker_is_well_when_it_was_heard_of(
    health: ModuleType, monkeypatch: pytest.MonkeyPatch, hosts: list[str], well: bool
) -> None:
    """The jobs worker lists one on this host."""
    overview = {"agents": [], "workers": [{"host": host} for host in hosts]}
    monkeypatch.setattr(health, "urlopen", answering({"http://jobs:6066/v1/agents": overview}))
    assert (health.main("model", "http://jobs:6066") is None) is well


def test_the_key_is_sent(health: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where keys are asked for, with the one in STREAMAPP_API_KEY."""
    sent: list[Request] = []

    def urlopen(request: Request, timeout: float) -> io.BytesIO:
        sent.append(request)
        return io.BytesIO(b'{"workers": []}')

    monkeypatch.setattr(health, "urlopen", urlopen)
    monkeypatch.setenv("STREAMAPP_API_KEY", "streamapp_a_key")
    health.main("model", "http://jobs:6066")
    assert [request.get_header("Authorization") for request in sent] == ["Bearer streamapp_a_key"]
