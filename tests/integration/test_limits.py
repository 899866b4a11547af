"""A key's limits, a tenant's pause and the limits of e-mails, on the real worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from streamapp.documents.claim import inline
from streamapp.store import rooms
from streamapp.store.reservations import NewJob, reserve
from streamapp.testing.deployment import Deployment, until
from streamapp.testing.keys import bearer, database_of, make_key

JOB = {"task": "echo", "text": "A line."}


@pytest.fixture(scope="module")
def limited(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that asks for keys."""
    settings = {"STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
    settings |= {"STREAMAPP_MAIL_DOMAINS": "localhost, example.org", "STREAMAPP_MAIL_PER_RECIPIENT": "2"}
    with Deployment(broker, tmp_path_factory.mktemp("limited"), settings) as running:
        yield running


def test_requests_a_minute(limited: Deployment) -> None:
    """Each answer says what is left; the one too many is a 429 that says when, and another key's are its own."""
    key, other = make_key(limited, per_minute=3), make_key(limited, per_minute=9)
    with httpx.Client(base_url=limited.url, headers=bearer(key), trust_env=False) as http:
        for left in (2, 1, 0):
            answer = http.get("/v1/tasks")
            assert answer.status_code == 200
            assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
            assert answer.headers["RateLimit"].startswith(f'"key";r={left};t=')
            assert http.get("/v1/limits", headers=bearer(other)).json()["key"]["requests_per_minute"] == 9
        refused = http.post("/v1/jobs", json=JOB)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 20
        assert refused.headers["RateLimit"].startswith('"key";r=0;')
        assert http.get("/v1/tasks", headers=bearer(other)).status_code == 200
        assert "RateLimit" not in limited.http.get("/v1/tasks").headers


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/jobs?limit=0", None, 422),
        ("GET", "/v1/jobs/5cd0ab5a-d50b-40ac-8bba-500a812098e8", None, 404),
        ("GET", "/nowhere", None, 404),
        ("PATCH", "/v1/limits", None, 405),
        ("POST", "/v1/jobs", {"task": "none", "text": "a"}, 422),
        ("GET", "/v1/agents", None, 403),
        ("POST", "/v1/jobs", "x" * (33 << 20), 413),
    ],
)
def test_what_is_refused_says_what_is_left_too(
    limited: Deployment, method: str, path: str, body: Any, status: int
) -> None:
    """A 4xx counts, and says so: else who goes on asking for what is not there meets the limit unwarned."""
    with httpx.Client(base_url=limited.url, headers=bearer(make_key(limited, per_minute=3)), trust_env=False) as http:
        answer = http.request(method, path, json=body)
        assert answer.status_code == status
        assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
        assert answer.headers["RateLimit"].startswith('"key";r=2;')


def test_a_paused_tenant_and_its_active_jobs(limited: Deployment) -> None:
    """Its queued jobs wait, new ones are 403, or 429 with a key that may have no more; then all goes on."""
    ids = [str(uuid.uuid4()) for _ in range(2)]
    most, any_number = make_key(limited, "carl", active_jobs=2), make_key(limited, "carl")
    database = database_of(limited)

    def hold(connection: Connection) -> None:
        rooms.pause(connection, "carl", True)
        for job in ids:
            fields: dict[str, Any] = {"params": "{}", "name": None, "media_type": "text/plain", "body_hash": "b"}
            reserve(connection, NewJob("carl", job, "echo", document=inline(b"Hello."), size=6, **fields))

    def post(key: str) -> int:
        return limited.http.post("/v1/jobs", json=JOB, headers=bearer(key)).status_code

    def status(job: str) -> str:
        return str(limited.http.get(f"/v1/jobs/{job}", headers=bearer(any_number)).json()["status"])

    database.write_sync(hold)
    until(lambda: post(any_number) == 403, 20.0, "the worker to refuse the tenant")
    full = limited.http.post("/v1/jobs", json=JOB, headers=bearer(most))
    assert (full.status_code, full.headers["Retry-After"]) == (429, "2")
    job = limited.submit(JOB)
    assert limited.finished(job)["status"] == "succeeded", "another tenant's goes on, and so does the relay"
    assert [status(each) for each in ids] == ["queued", "queued"]

    database.write_sync(rooms.pause, "carl", False)
    database.close()
    until(lambda: all(status(each) == "succeeded" for each in ids), 60.0, "the jobs that waited")
    until(lambda: post(most) == 202, 20.0, "the key to have room again")


def test_who_may_be_sent_how_many_e_mails(limited: Deployment) -> None:
    """Another domain is a 422 and the third to an address a 429, both naming it; what was accepted may be repeated."""
    other = limited.http.post("/v1/jobs", json={**JOB, "email": "victim@elsewhere.example"})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "email")
    old = limited.http.post("/kafka/pushToConsumers", json={"text": "Hello.", "email": "victim@elsewhere.example"})
    assert old.status_code == 422

    first, second, third = (str(uuid.uuid4()) for _ in range(3))
    body = {**JOB, "email": "reader@example.org"}
    assert [limited.http.put(f"/v1/jobs/{job}", json=body).status_code for job in (first, second)] == [202, 202]
    full = limited.http.put(f"/v1/jobs/{third}", json=body)
    assert (full.status_code, full.json()["errors"][0]["field"], full.headers["Retry-After"]) == (429, "email", "600")
    assert limited.http.get(f"/v1/jobs/{third}").status_code == 404
    assert limited.http.put(f"/v1/jobs/{first}", json=body).status_code == 202
    assert limited.http.put(f"/v1/jobs/{third}", json={**body, "email": "other@example.org"}).status_code == 202
