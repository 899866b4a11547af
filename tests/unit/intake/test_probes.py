"""When a worker says that it is ready: which model workers count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamapp.intake.probes import Probes
from streamapp.intake.refusal import Refused
from streamapp.jobs.insight import Insight
from streamapp.models import WorkerBeat
from streamapp.resources import Readiness
from streamapp.store import workers
from streamapp.store.database import Database

NOBODY: Any = None  # the request, and the broker's offsets, which readiness does not ask for


def probes(database: Database, member_s: float) -> Probes:
    """Those of a worker that has been in its group for so long."""
    return Probes(database, Insight(NOBODY, database), lambda: True, lambda: member_s)


def heard(database: Database) -> None:
    """A model worker's beat is read now."""
    beat = WorkerBeat(
        worker="w1", host="h", pid=1, device="cpu", predictors=["echo"], items=0, chunks=0, seconds_busy=0.0
    )
    database.write_sync(workers.heard, beat)


async def test_a_model_worker_that_was_heard_of_here(database: Database) -> None:
    """I expect it to make the worker ready."""
    heard(database)
    assert (await probes(database, 60.0).ready(NOBODY)).status == 200


@pytest.mark.parametrize("member_s", [0.0, 0.5])
async def test_one_of_a_life_before(database: Database, member_s: float) -> None:
    """I expect what is read as the worker joins not to count: the beat may have waited, and its sender be gone."""
    heard(database)
    with pytest.raises(Refused, match="no model worker has been heard of yet"):
        await probes(database, member_s).ready(NOBODY)


@pytest.mark.parametrize("ending", [None, "model worker 1 ended 3 times within ten minutes by SIGKILL"])
async def test_one_that_keeps_ending_beside_one_that_lives(database: Database, ending: str | None) -> None:
    """I expect the worker to be ready, and to say which keep ending."""
    heard(database)
    answer = await replace(probes(database, 60.0), keep_ending=lambda: ending).ready(NOBODY)
    assert isinstance(answer.body, bytes)
    assert Readiness.model_validate_json(answer.body) == Readiness(status="ready", warning=ending or "")
