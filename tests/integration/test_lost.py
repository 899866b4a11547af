"""A message that the broker has not (any more) is published again once its topic is read to the end."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import update

from streamapp.store import reservations
from streamapp.store.database import Database
from streamapp.store.reservations import NewJob
from streamapp.store.schema import clock, jobs
from streamapp.testing.deployment import Deployment


@pytest.mark.timeout(120)
def test_a_job_whose_message_is_lost_runs_all_the_same(deployment: Deployment) -> None:
    """A row that says that it was published, and no message: as after a power cut of a single broker."""
    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    job = str(uuid.uuid4())
    new = NewJob(
        tenant="default",
        id=job,
        task="echo",
        params='{"chunk": 1000}',
        name="lost",
        document="data:;base64,SGVsbG8u",
        media_type="text/plain",
        size=6,
        body_hash="x",
    )
    database.write_sync(
        lambda connection: (
            reservations.reserve(connection, new),
            connection.execute(update(jobs).where(jobs.c.id == job).values(published_at=clock() - 120)),
        )
    )
    database.close()

    assert deployment.finished(job, 60)["status"] == "succeeded"
