"""Kafka being away delays work but refuses none: the store accepts, and the relay publishes when the broker is back."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from streamapp.embedded.ports import free_port
from streamapp.leaving import UNAVAILABLE
from streamapp.testing.broker import kafka_broker, node, serving
from streamapp.testing.deployment import Deployment, until
from tests.integration.observer import faust_worker, held_environment

AT_ONCE_S = 1.0
LONG = "Longer than what travels inside its reference. " * 200


@contextmanager
def frozen(address: str) -> Iterator[None]:
    """The broker at that address stands still: its connections stay open and nothing answers."""
    port = int(address.rpartition(":")[2])
    pids = {
        process.pid
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert len(pids) == 1
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with a broker of its own: a shared one must not be frozen."""
    settings = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STREAMAPP_TEST_BROKER", raising=False)
        with kafka_broker() as address, Deployment(address, tmp_path_factory.mktemp("alone"), settings) as deployment:
            deployment.finished(deployment.submit({"task": "echo", "text": "Before."}))
            yield deployment


def test_work_is_accepted_while_the_broker_stands_still(alone: Deployment) -> None:
    """202 at once, GET 200, the same key the same id, a cancel that holds; and all of it runs when Kafka is back."""
    with frozen(alone.environment["STREAMAPP_BROKER"]):
        jobs = [_accepted(alone, f"still{number}") for number in range(8)]
        cancelled = jobs.pop()
        assert alone.http.delete(f"/v1/jobs/{cancelled}").json()["status"] == "cancelled"
        until(lambda: "was not acknowledged" in alone.log.read_text(), 30, "a message that was given up")
        jobs.append(_accepted(alone, "late"))

    _assert_done(alone, jobs)
    assert alone.job(cancelled)["status"] == "cancelled"
    assert {str(mail["To"]) for mail in alone.mails(8)} == {
        *(f"still{number}@localhost" for number in range(7)),
        "late@localhost",
    }


def test_work_accepted_without_kafka_survives_the_worker(alone: Deployment) -> None:
    """kill -9 before the broker has any of it: the rows say what is unpublished, and the next worker publishes it."""
    with frozen(alone.environment["STREAMAPP_BROKER"]):
        jobs = [_accepted(alone, f"killed{number}") for number in range(5)]
        alone.kill("streamapp")

    alone.stop()
    alone.start()

    _assert_done(alone, jobs)


def _assert_done(deployment: Deployment, jobs: list[str]) -> None:
    """All have ended well, and each has one e-mail with its own text."""
    ended = [deployment.finished(job, 60) for job in jobs]
    assert [job["status"] for job in ended] == ["succeeded"] * len(jobs)
    for job in ended:
        address = next(line["recipient"] for line in job["deliveries"] if line["kind"] == "email")
        assert job["report"]["text"] == LONG + address.removesuffix("@localhost")
        until(lambda to=address: _mails_to(deployment, to), 20, f"the e-mail to {address}")  # type: ignore[misc]
        assert _mails_to(deployment, address) == 1


def _mails_to(deployment: Deployment, address: str) -> int:
    return sum(mail["To"] == address for mail in deployment.mails(0))


def test_a_start_that_fails_is_no_end_as_told(tmp_path: Path) -> None:
    """The broker goes before the producer has met it: I expect a sentence, and a code that says so."""
    environment = held_environment(f"127.0.0.1:{free_port()}", tmp_path)
    with faust_worker("held_app", environment, tmp_path / "log") as worker:
        assert worker.wait(60) == UNAVAILABLE
    assert "streamapp: The broker went away while this worker started: " in (tmp_path / "log").read_text()


def test_a_model_worker_that_starts_waits_for_the_broker(tmp_path: Path) -> None:
    """It dies while Kafka is away: I expect the next to load its models once, and to work when Kafka is back.

    One that ended instead would be started again ever more slowly: after half a minute a broker may be back for long.
    """
    kraft = node(tmp_path)
    settings = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEVICE": "cpu"}
    with ExitStack() as away:
        with serving(kraft, tmp_path):
            deployment = away.enter_context(Deployment(kraft.address, tmp_path, settings))
            deployment.finished(deployment.submit({"task": "echo", "text": "Before."}))
        deployment.kill("streamapp.inference")
        until(lambda: deployment.log.read_text().count("waiting for the broker") >= 3, 90, "a worker that waits")
        [waits] = deployment.workers("streamapp.inference")
        job = deployment.submit({"task": "echo", "text": "After."})
        with serving(kraft, tmp_path):
            assert deployment.finished(job, 90)["status"] == "succeeded"
            assert [worker.pid for worker in deployment.workers("streamapp.inference")] == [waits.pid]
            away.close()


def _accepted(deployment: Deployment, name: str) -> str:
    """A job that is accepted at once, seen at once, and the same when it is sent again."""
    body = {"task": "echo", "text": LONG + name, "email": f"{name}@localhost"}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    started = time.monotonic()

    first, again = (deployment.http.post("/v1/jobs", json=body, headers=key) for _ in range(2))
    other = deployment.http.post("/v1/jobs", json={**body, "priority": 1}, headers=key)

    assert time.monotonic() - started < 3 * AT_ONCE_S
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json()["id"] == again.json()["id"]
    job = deployment.job(first.json()["id"])
    assert job["status"] == "queued"
    return str(job["id"])
