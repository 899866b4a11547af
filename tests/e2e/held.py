"""A worker whose task waits where the test says, so that a page can be looked at meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamapp.testing.deployment import Deployment

__all__ = ["held"]


@contextmanager
def held(broker: str, folder: Path, task: str, at: str, **settings: str) -> Iterator[Deployment]:
    """It has one task, `module:Class` of the integration tests, which waits at the word `at` until this is left."""
    name = task.rpartition(":")[2].lower()
    (folder / at).touch()
    usual = {
        "STREAMAPP_TASKS": f"tests.integration.{task}",
        "STREAMAPP_ONLY_TASKS": name,
        "STREAMAPP_DEFAULT_TASK": name,
        "STREAMAPP_DEVICE": "cpu",
        "STEERED": str(folder),
    }
    with Deployment(broker, folder / "home", usual | settings) as running:
        yield running
        (folder / at).unlink(missing_ok=True)
