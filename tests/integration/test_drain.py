"""SIGTERM: what is in hand is finished or handed back, in bounded time, and nothing is lost or done twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streamapp.testing.deployment import Deployment, until

SETTINGS = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEVICE": "cpu"}


@pytest.mark.timeout(180)
def test_a_busy_worker_stops_within_its_bound_and_the_next_one_goes_on(broker: str, tmp_path: Path) -> None:
    """Jobs that were accepted before SIGTERM all end after the restart, each with one e-mail."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:
        jobs = [
            deployment.submit(
                {"task": "echo", "text": f"Job {n}. " * 400, "params": {"chunk": 20}, "email": f"{n}@localhost"}
            )
            for n in range(20)
        ]
        until(lambda: any(deployment.job(job)["progress"]["done"] for job in jobs), 30, "work to be in hand")

        began = time.monotonic()
        code = deployment.stop(25)

        assert code == 0
        assert time.monotonic() - began < 20
        assert deployment.workers() == []
        deployment.start()
        assert {deployment.finished(job, 60)["status"] for job in jobs} == {"succeeded"}
        mails = deployment.mails(len(jobs))
        assert sorted(mail["To"] for mail in mails) == sorted(f"{n}@localhost" for n in range(20))
