"""A task's report for a unit test: what `streamapp try` does, on a class and a text. No Kafka, no store, no worker.

::

    def test_the_lines_are_counted():
        trial = tried(Lines, "one\ntwo\n")
        assert trial.report.data == {"lines": 2}
        assert trial.failed == 0
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamapp.settings import Settings
from streamapp.tasks.contract import Task
from streamapp.trial import Trial, run_trial

__all__ = ["Trial", "tried"]


def tried(
    task: type[Task],
    document: str | Path,
    params: Mapping[str, Any] | None = None,
    *,
    media_type: str | None = None,
    device: str = "cpu",
) -> Trial:
    """What the task makes of a text, or of the file at a path. The class must be at the top of its module.

    Raises what a job would fail with, `BadDocument` or `TaskFailed`, and `ConfigurationError` for a wrong parameter or
    a task that is not complete.
    """
    with tempfile.TemporaryDirectory(prefix="streamapp-try-") as folder:
        file = document if isinstance(document, Path) else _written(Path(folder), document)
        settings = Settings(
            home=Path(folder),
            tasks=(f"{task.__module__}:{task.__qualname__}",),
            only_tasks=(task.name,),
            default_task=task.name,
            device=device,
        )
        return run_trial(settings, task.name, file, dict(params or {}), media_type)


def _written(folder: Path, text: str) -> Path:
    file = folder / "document.txt"
    file.write_text(text, encoding="utf-8", newline="")
    return file
