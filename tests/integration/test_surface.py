"""What a client does with a job after it was accepted, on a real worker: read it, delete it, and many at a time."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment, until

MANY = {"task": "echo", "text": "x" * 60_000, "params": {"chunk": 1}}


def done(deployment: Deployment, **fields: Any) -> str:
    """A job that has succeeded."""
    job = deployment.submit({"task": "echo", "text": "A line.", **fields})
    assert deployment.finished(job, 90)["status"] == "succeeded"
    return job


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("report", "*/*", "application/json; charset=utf-8"),
        ("report.txt", "*/*", "text/plain; charset=utf-8"),
        ("report", "text/html", "text/html; charset=utf-8"),
    ],
)
def test_the_report(deployment: Deployment, path: str, accept: str, kind: str) -> None:
    """In the form that is asked for, with a tag for which it is not sent again; HEAD says the same, and CORS is on."""
    url, headers = f"/v1/jobs/{done(deployment)}/{path}", {"Accept": accept, "Origin": "https://example.org"}
    got, head = deployment.http.get(url, headers=headers), deployment.http.head(url, headers=headers)
    assert (got.status_code, got.headers["Content-Type"]) == (200, kind)
    assert "A line." in got.text
    assert got.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert (head.status_code, head.headers["ETag"]) == (200, got.headers["ETag"])
    same = deployment.http.get(url, headers={**headers, "If-None-Match": got.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_what_was_computed_before_a_cancel(deployment: Deployment) -> None:
    """`echo` makes no partial reports, and the API says so; the job is told from one that expired."""
    job = deployment.submit(MANY)
    until(lambda: deployment.job(job)["progress"]["done"], 60, "a result")
    assert deployment.http.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    answer = deployment.http.get(f"/v1/jobs/{job}/partial")
    assert answer.status_code == 404
    assert "task echo makes none" in answer.json()["detail"]


def test_a_finished_job_is_deleted(deployment: Deployment) -> None:
    """Nothing of it answers any more, and its key starts nothing."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"task": "echo", "text": "Delete me. " * 1000}
    job = deployment.submit(body, **key)
    deployment.finished(job, 90)
    assert list((deployment.home / "blobs").rglob(job))
    assert deployment.http.delete(f"/v1/jobs/{job}").json()["status"] == "succeeded"

    assert deployment.http.delete(f"/v1/jobs/{job}/data").status_code == 204

    for path in ("", "/report", "/plot", "/data"):
        method = "DELETE" if path == "/data" else "GET"
        assert deployment.http.request(method, f"/v1/jobs/{job}{path}").status_code == 404
    assert not [path for path in (deployment.home / "blobs").rglob(f"{job}/*") if path.is_file()]
    again = deployment.http.post("/v1/jobs", json=body, headers=key)
    assert again.status_code == 410
    assert "deleted" in again.json()["detail"]


def test_what_is_allowed(deployment: Deployment) -> None:
    """The limits are those of this deployment."""
    said = deployment.http.get("/v1/limits").json()
    assert said["body_bytes"] == 1 << 20
    assert [task["name"] for task in said["tasks"]] == ["echo"]
    answer = deployment.http.post(
        "/v1/jobs", content=b"x" * (said["body_bytes"] + 1), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert str(said["body_bytes"]) in answer.json()["detail"]


def test_many_at_a_time(deployment: Deployment) -> None:
    """A dry run changes nothing; cancel and retry do; the log says so, over HTTP and by the command."""
    to = f"many.{uuid.uuid4().hex[:8]}@localhost"
    mine = {deployment.submit({**MANY, "email": to}) for _ in range(3)}

    dry = deployment.http.post("/v1/jobs/cancel", json={"email": to, "dry_run": True}).json()
    assert (set(dry["ids"]), dry["changed"]) == (mine, 0)
    first = deployment.http.post("/v1/jobs/cancel", json={"email": to, "limit": 2}).json()
    last = deployment.http.post("/v1/jobs/cancel", json={"email": to, "limit": 2, "cursor": first["next"]}).json()
    assert ({*first["ids"], *last["ids"]}, last["next"]) == (mine, None)
    assert {deployment.job(job)["error"] for job in mine} == {"cancelled by an operator"}

    again = deployment.http.post("/v1/jobs/retry", json={"email": to, "status": "cancelled"}).json()
    assert set(again["ids"]) == mine
    assert {deployment.job(job)["run"] for job in mine} == {2}
    deployment.http.post("/v1/jobs/cancel", json={"email": to})

    items = deployment.http.get("/v1/audit", params={"limit": 4}).json()["items"]
    assert [(line["what"], line["changed"]) for line in items] == [
        ("cancel", 3), ("retry", 3), ("cancel", 1), ("cancel", 2),
    ]  # fmt: skip
    command = [sys.executable, "-m", "streamapp.cli", "audit", "--limit", "4", "--url", deployment.url]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.count(to) == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_no_write_overlooks_its_query(deployment: Deployment, method: str) -> None:
    """A field that nobody reads is refused on every call that changes something, before it does."""
    described = deployment.http.get("/openapi.json").json()["paths"]
    paths = [path for path, calls in described.items() if method.lower() in calls and path.startswith("/v1/")]
    assert paths
    for path in paths:
        url = path
        for name in ("job_id", "letter", "line", "delivery", "how"):
            url = url.replace(f"{{{name}}}", str(uuid.uuid4()) if name == "job_id" else "1")
        answer = deployment.http.request(method, f"{url}?bogus=1", headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, (path, answer.text)
        assert [error["field"] for error in answer.json()["errors"]] == ["bogus"], (path, answer.text)
