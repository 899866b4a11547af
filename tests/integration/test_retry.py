"""POST /v1/jobs/{id}/retry: another run of what has no result, from the request to the e-mail."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from streamapp.testing.deployment import Deployment, until

MANY = {"task": "echo", "text": "x" * 6000, "params": {"chunk": 1}}
NOBODYS = "3f2b8a54-6f4a-4347-88df-88630e4e5895"


def cancelled(deployment: Deployment, **fields: Any) -> str:
    """A job that was cancelled while it ran or waited."""
    job = deployment.submit({**MANY, "text": "x" * 60_000, **fields})
    assert deployment.http.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    return job


def test_a_cancelled_job_runs_again(deployment: Deployment) -> None:
    """It succeeds at run 2, its mail comes once, and its first request names it still."""
    to, key = f"again.{uuid.uuid4().hex[:8]}@localhost", {"Idempotency-Key": uuid.uuid4().hex}
    body = {**MANY, "text": "x" * 30_000, "email": to}
    job = deployment.submit(body, **key)
    assert deployment.http.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"

    answer = deployment.http.post(f"/v1/jobs/{job}/retry")

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job}"
    assert (answer.json()["run"], answer.json()["status"], answer.json()["error"]) == (2, "queued", None)
    done = deployment.finished(job, 90)
    assert (done["status"], done["run"], done["report"]["text"]) == ("succeeded", 2, body["text"])
    until(lambda: all(each["state"] == "sent" for each in deployment.job(job)["deliveries"]), 60, "its deliveries")
    assert len([mail for mail in deployment.mails(1) if mail["To"] == to]) == 1
    same = deployment.http.post("/v1/jobs", json=body, headers=key)
    assert (same.status_code, same.json()["id"], same.json()["status"]) == (202, job, "succeeded")


def test_what_can_not_be_tried_again(deployment: Deployment) -> None:
    """409 with the reason for what has succeeded or runs, 404 for what is not there, 422 for what is not right."""
    done = deployment.submit({"task": "echo", "text": "A line."})
    deployment.finished(done, 90)
    answer = deployment.http.post(f"/v1/jobs/{done}/retry")
    assert answer.status_code == 409
    assert "has succeeded" in answer.json()["detail"]
    assert deployment.http.post(f"/v1/jobs/{NOBODYS}/retry").status_code == 404
    assert deployment.http.post("/v1/jobs/nothing/retry").status_code == 404
    job = cancelled(deployment)
    for body, field in (({"priority": 1}, "priority"), ({"deadline": "2001-01-01T00:00:00Z"}, "deadline")):
        answer = deployment.http.post(f"/v1/jobs/{job}/retry", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert deployment.http.post(f"/v1/jobs/{job}/retry", json={"deadline": until_then}).status_code == 202
    answer = deployment.http.post(f"/v1/jobs/{job}/retry")
    assert answer.status_code == 409
    deployment.http.delete(f"/v1/jobs/{job}")


def test_the_document_must_be_there(deployment: Deployment) -> None:
    """410 when it is not kept any more, and the job stays as it was."""
    job = cancelled(deployment)
    (folder,) = (deployment.home / "blobs").rglob(job)
    for file in folder.iterdir():
        file.unlink()
    answer = deployment.http.post(f"/v1/jobs/{job}/retry")
    assert answer.status_code == 410
    assert (deployment.job(job)["status"], deployment.job(job)["run"]) == ("cancelled", 1)
