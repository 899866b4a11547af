"""Jobs of tasks that were taken away."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from streamapp.doctor.ground import Ground
from streamapp.doctor.models import check_models
from streamapp.jobs.left import warn_of_left
from streamapp.settings import Settings
from streamapp.store import jobs
from streamapp.store.database import Database
from tests.unit.store.rows import reserved, running


async def test_a_worker_says_what_nobody_will_finish(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """I expect jobs that wait or run to be counted by task, not those that ended, nor of tasks there are."""
    running(database, task="gone")
    reserved(database, task="gone")
    reserved(database, task="here")
    assert database.write_sync(jobs.end, reserved(database, task="over"), "failed")
    with caplog.at_level(logging.WARNING):
        await warn_of_left(database, {"here"})
    (line,) = caplog.messages
    assert "jobs of task gone that have not ended: 2" in line
    assert "streamapp jobs cancel --task gone`, with an admin's key" in line


def test_doctor_says_it_too(database: Database, tmp_path: Path) -> None:
    """I expect a warning with what to do, and none without such jobs."""
    settings = Settings.model_validate({"home": tmp_path, "only_tasks": ("echo",), "database_url": database.url})

    def warned() -> list[str]:
        found = asyncio.run(check_models(Ground(settings, 10.0), load=False))
        return [each.said for each in found if each.verdict == "warning"]

    reserved(database, task="echo")
    assert not warned()
    reserved(database, task="gone")
    assert warned() == ["1 jobs of task gone have not ended, and it is not offered here."]
