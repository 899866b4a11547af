"""Lifetimes on the real thing: what a worker says of a broker's, and what a client hears of a job that was removed."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import update

from streamapp.jobs.lifetimes import OFFSETS_DAYS, Lifetimes
from streamapp.settings import DAY_S, Settings
from streamapp.store.database import Database
from streamapp.store.schema import clock, jobs
from streamapp.testing.deployment import Deployment, until
from streamapp.topics import provision


async def test_a_worker_compares_with_the_broker(broker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Silence for topics as the settings say; one line with both values for one that differs, one for the offsets."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    settings = Settings(home=tmp_path, broker=broker, topic_prefix=prefix, topic_partitions=1)
    await provision(settings, ["echo"])
    lifetimes = Lifetimes.of(settings)
    assert await _said(lifetimes, settings, caplog) == []
    assert lifetimes.offsets_s == OFFSETS_DAYS * DAY_S  # what the embedded broker is told

    await _alter(broker, f"{prefix}email", {"retention.ms": "3600000"})
    (line,) = await _said(lifetimes, settings, caplog)
    assert f"{prefix}email" in line
    assert "3600000" in line
    assert "604800000" in line

    longer = Lifetimes(topics_s=400 * DAY_S, jobs_s=None)
    assert any("offsets.retention.minutes" in each for each in await _said(longer, settings, caplog))


async def _said(lifetimes: Lifetimes, settings: Settings, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.WARNING, "streamapp.jobs.lifetimes"):
        await lifetimes.look(settings, ["echo"])
    return [record.getMessage() for record in caplog.records if record.name == "streamapp.jobs.lifetimes"]


async def _alter(broker: str, topic: str, values: dict[str, Any]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])
    finally:
        await admin.close()


@pytest.mark.timeout(400)
def test_a_removed_job_is_gone_and_does_not_start_again(deployment: Deployment) -> None:
    """404 for reading it, 410 for sending it again under its id or its key, 422 with another body, and no blob."""
    body = {"task": "echo", "text": "Too long to travel in a reference. " * 200}
    identity, key = str(uuid.uuid4()), {"Idempotency-Key": uuid.uuid4().hex}
    assert deployment.http.put(f"/v1/jobs/{identity}", json=body, headers=key).status_code == 202
    deployment.finished(identity, 120)
    blobs = deployment.home / "blobs" / "documents" / "default" / identity
    assert len(list(blobs.iterdir())) == 1

    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    old = update(jobs).where(jobs.c.id == identity).values(finished_at=clock() - 31 * DAY_S)
    database.write_sync(lambda connection: connection.execute(old))
    database.close()
    until(lambda: deployment.http.get(f"/v1/jobs/{identity}").status_code == 404, 180, "the janitor")

    assert not blobs.exists() or list(blobs.iterdir()) == []
    for answer in (
        deployment.http.put(f"/v1/jobs/{identity}", json=body),
        deployment.http.post("/v1/jobs", json=body, headers=key),
    ):
        assert answer.status_code == 410
        assert identity in answer.json()["detail"]
    other = {**body, "priority": 1}
    assert deployment.http.post("/v1/jobs", json=other, headers=key).status_code == 422
    lines = deployment.http.get("/v1/notifications?limit=100").json()["items"]
    assert identity not in {line["job_id"] for line in lines}
