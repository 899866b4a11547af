"""Runs `up` as the command does, but with the stand-in for a worker, no tasks, no topics. A process of the tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from streamapp import topics
from streamapp.embedded import checks, welcome, worker
from streamapp.embedded.up import up
from streamapp.settings import load_settings
from streamapp.tasks import registry


async def no_topics(*_: object) -> dict[str, int]:
    """The stand-in reads none."""
    return {}


def no_tasks(*_: object) -> registry.Registry:
    """None of the shipped ones is imported."""
    return registry.Registry([])


if __name__ == "__main__":
    worker.COMMAND = (sys.executable, str(Path(__file__).with_name("stand_in_worker.py")))
    checks.LEAST_FREE_MIB = int(os.environ.get("LEAST_FREE_MIB", "16"))
    welcome.story = lambda: Path(__file__)
    if not os.environ.get("STREAMAPP_TASKS"):
        registry.load_registry = no_tasks  # type: ignore[assignment]  # takes whatever it is asked for
    topics.provision = no_topics  # type: ignore[assignment]
    sys.exit(up(load_settings()))
