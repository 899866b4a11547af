"""`Prefer: wait=N`: the finished job in the answer to the request that sent it, whichever worker finishes it."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment, until

WAITING = "tests.integration.waiting_task:Waiting"
WAIT = {"Prefer": "wait=30"}


@pytest.fixture(scope="module")
def held(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Path]]:
    """Two workers with a task that ends when there is a file `go` in the folder."""
    folder = tmp_path_factory.mktemp("waiting")
    settings = {
        "STREAMAPP_TASKS": WAITING,
        "STREAMAPP_ONLY_TASKS": '["echo", "waiting"]',
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
        "WAITING": str(folder),
        "PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    with Deployment(broker, tmp_path_factory.mktemp("prefer"), settings) as running:
        other = running.spawn_another({"STREAMAPP_MODEL_WORKERS": "0"})
        until(other.ready, 90, "the second worker")
        yield running, folder


def echo(text: str = "A line.", **more: Any) -> dict[str, Any]:
    """A job's body."""
    return {"task": "echo", "text": text, **more}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_finished_job_from_either_worker(held: tuple[Deployment, Path], method: str) -> None:
    """200 with the report, from both workers, although each job is finished by whoever has its partition."""
    first = held[0]
    workers = [first, *first.others]

    def ask(number: int) -> Any:
        path = "/v1/jobs" if method == "POST" else f"/v1/jobs/{uuid.uuid4()}"
        return workers[number % 2].http.request(method, path, json=echo(f"Number {number}."), headers=WAIT)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(24)))

    assert [answer.status_code for answer in answers] == [200] * 24
    assert [answer.json()["report"]["text"] for answer in answers] == [f"Number {number}." for number in range(24)]
    assert {answer.headers["Preference-Applied"] for answer in answers} == {"wait=30"}
    assert all(answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}" for answer in answers)


@pytest.mark.slow
def test_what_takes_longer_is_accepted(held: tuple[Deployment, Path]) -> None:
    """202 when the time is over; the same request again gets the end, and then at once, with or without waiting."""
    deployment, folder = held
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"task": "waiting", "text": "Wait."}
    early = deployment.http.post("/v1/jobs", json=body, headers={**key, "Prefer": "respond-async, wait=1"})
    assert early.status_code == 202
    assert early.json()["status"] in ("queued", "running")
    assert early.headers["Preference-Applied"] == "respond-async, wait=1"

    with ThreadPoolExecutor(1) as thread:
        again = thread.submit(deployment.http.post, "/v1/jobs", json=body, headers={**key, **WAIT})
        (folder / "go").touch()
        late = again.result()

    assert late.status_code == 200
    assert late.json()["id"] == early.json()["id"]
    assert late.json()["report"]["subject"] == "Waited"
    for headers, status in (({}, 202), ({"Prefer": "respond-async"}, 202), ({"Prefer": "wait=0"}, 200)):
        same = deployment.http.post("/v1/jobs", json=body, headers={**key, **headers})
        assert same.status_code == status
        assert same.json() == late.json() | {"deliveries": same.json()["deliveries"]}
    other = deployment.http.post("/v1/jobs", json={**body, "text": "Other."}, headers={**key, **WAIT})
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.slow
def test_a_worker_that_stops_while_clients_wait(held: tuple[Deployment, Path]) -> None:
    """It ends in time although a client has asked for a minute, which is longer than a stop may take; the job goes on.

    It has just begun, so it may have to hand its own part of the work back, which is exit code 70.
    """
    deployment, folder = held
    (folder / "go").unlink(missing_ok=True)
    other = deployment.spawn_another({"STREAMAPP_MODEL_WORKERS": "0"})
    until(other.ready, 90, "a third worker")
    name = f"held {uuid.uuid4().hex}"
    body = json.dumps({"task": "waiting", "text": "Held.", "name": name})
    head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nPrefer: wait=60\r\n"

    def mine() -> list[str]:
        return [job["id"] for job in deployment.http.get("/v1/jobs").json()["items"] if job["name"] == name]

    with socket.create_connection(("127.0.0.1", other.port)) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        (job,) = until(mine, 30, "the job")
        assert other.stop() in (0, 70)
    assert "stopping took more" not in other.log.read_text()
    (folder / "go").touch()
    assert deployment.finished(job)["status"] == "succeeded"
