"""The whole way once more with PostgreSQL behind it."""

from __future__ import annotations

from pathlib import Path

from streamapp.testing.deployment import Deployment
from tests.integration.test_store import url  # noqa: F401 - the fixture


def test_jobs_end_and_their_mails_arrive(broker: str, url: str, tmp_path: Path) -> None:  # noqa: F811
    """I expect jobs to succeed, each with one e-mail and one line in the inbox, and the same key to give one job."""
    settings = {
        "STREAMAPP_ONLY_TASKS": '["echo"]',
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_DATABASE_URL": url.replace("postgresql+psycopg://", "postgresql://"),
        "STREAMAPP_BLOB_URL": (tmp_path / "blobs").as_uri(),
    }
    with Deployment(broker, tmp_path, settings) as deployment:
        body = {"task": "echo", "text": "A line. " * 2000, "params": {"chunk": 100}, "email": "reader@localhost"}
        jobs = [deployment.submit(body, **{"Idempotency-Key": f"key-{number}"}) for number in range(5)]
        assert deployment.submit(body, **{"Idempotency-Key": "key-0"}) == jobs[0]
        assert {deployment.finished(job)["status"] for job in jobs} == {"succeeded"}
        assert len(deployment.mails(5)) == 5
        assert len(deployment.http.get("/v1/notifications").json()["items"]) == 5
