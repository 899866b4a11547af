"""The reports of an undisturbed run: the same tasks, in a process of their own, without broker, store or worker.

Usage: ``python -m chaos.reference TEXTS.json REPORTS.json``; both map a text's id to it, or to its report.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamapp.settings import Settings
from streamapp.trial import run_trial

__all__ = ["FIELDS", "main"]

FIELDS = ("subject", "text", "html", "data")


def report_of(folder: Path, task: str, content: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """One report, as the API shows it."""
    file = folder / "text.txt"
    file.write_text(content, encoding="utf-8")
    report = run_trial(Settings(home=folder), task, file, dict(params), "text/plain").report
    return {name: getattr(report, name) for name in FIELDS}


def main(texts: Path, reports: Path) -> None:
    """Read the texts, write the reports."""
    wanted = json.loads(texts.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="streamapp-chaos-") as folder:
        found = {
            name: report_of(Path(folder), text["task"], text["content"], text["params"])
            for name, text in wanted.items()
        }
    reports.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
