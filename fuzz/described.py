"""Requests that schemathesis makes up from the API's own description, with all of its checks; see test_openapi.py."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from fuzz.ground import ROOT
from fuzz.tally import Tally

__all__ = ["described"]

CONFIGURATION = ROOT / "tests" / "integration" / "schemathesis.toml"
LEFT_OUT = "use_after_free,ensure_resource_availability"  # as in tests/integration/test_openapi.py
ENDLESS = "(events|stream)$"
EXAMPLES = 30
LOOK_S = 0.5
FAILURES = "= FAILURES ="  # what it says before this is of no use to who mends one
TOLD = 6000  # characters of what it says


def described(url: str, key: str, count: int, seed: int, tally: Tally, enough: threading.Event) -> None:
    """Run it, with another seed each time, until it has sent so many, or it is enough."""
    sent = number = 0
    while sent < count and not enough.is_set():
        with tempfile.TemporaryDirectory(prefix="streamapp-fuzz-") as folder:
            file = Path(folder) / "har.json"
            examples = min(EXAMPLES, max(1, (count - sent) // 200))
            command = _command(url, key, seed + number, examples, file)
            with (Path(folder) / "said").open("w+") as said, subprocess.Popen(command, stdout=said, stderr=said) as run:
                while run.poll() is None:
                    if enough.wait(LOOK_S):
                        run.terminate()
                        return
                said.seek(0)
                told = said.read()
            name = f"described/{seed + number}"
            for status, seconds in _answers(file):
                tally.add(name, [f"{status // 100}xx" if status else "none"], seconds)
                sent += 1
        if run.returncode != 0:
            tally.found(name, f"schemathesis: {told[max(0, told.find(FAILURES)) :][:TOLD]}")
        number += 1


def _command(url: str, key: str, seed: int, examples: int, file: Path) -> list[str]:
    options = ["--checks", "all", "--exclude-checks", LEFT_OUT, "--exclude-path-regex", ENDLESS, "--seed", str(seed)]
    options += ["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--no-color"]
    options += ["--report", "har", "--report-har-path", str(file), "--max-examples", str(examples), "--no-shrink"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"]
    return [*command, f"{url}/openapi.json", "-H", f"Authorization: Bearer {key}", *options]


def _answers(file: Path) -> Iterator[tuple[int, float]]:
    if file.exists():
        for entry in json.loads(file.read_text(encoding="utf-8", errors="replace"))["log"]["entries"]:
            yield int(entry["response"]["status"]), float(entry["time"]) / 1000
