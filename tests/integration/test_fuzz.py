"""A short round of what `make fuzz` does: 2,000 requests that nobody would send on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.ground import ROOT

REQUESTS = 2000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_that_is_sent_is_minded(broker: str, tmp_path: Path) -> None:
    """No 5xx, no traceback, nothing of another tenant's told, and the health check answers all along."""
    results = tmp_path / "fuzz.md"
    command = [sys.executable, "-m", "fuzz", "--requests", str(REQUESTS), "--seed", "1", "--results", str(results)]
    environment = {**os.environ, "STREAMAPP_TEST_BROKER": broker}

    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2000:]
    found = json.loads(results.with_suffix(".json").read_text())
    assert found["requests"] == REQUESTS
    assert found["health"]["asked"] > 20
    assert found["routes"] == found["all_routes"]
