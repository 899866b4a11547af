"""A whole deployment and real receivers: a job's end reaches them, whatever happens to them meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from streamapp.embedded.ports import free_port
from streamapp.faults import VARIABLE
from streamapp.store import webhook_secrets
from streamapp.store.database import Database
from streamapp.testing.deployment import Deployment, until
from tests.integration.receivers import ReceiverThread

pytestmark = pytest.mark.timeout(300)

SETTINGS = {
    "STREAMAPP_ONLY_TASKS": '["echo"]',
    "STREAMAPP_DEVICE": "cpu",
    "STREAMAPP_WEBHOOK_FIRST_RETRY_S": "0.5",
    "STREAMAPP_WEBHOOK_ATTEMPTS": "4",
    "STREAMAPP_WEBHOOK_CONCURRENCY": "4",
    "STREAMAPP_WEBHOOK_TIMEOUT_S": "15",
}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def running(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that gives up soon."""
    with Deployment(broker, tmp_path_factory.mktemp("webhooks"), SETTINGS) as deployment:
        yield deployment


def submit(deployment: Deployment, url: str) -> str:
    """A job with that webhook."""
    return deployment.submit({"task": "echo", "text": f"Hello {next(_numbers)}.", "webhook": url})


def delivery(deployment: Deployment, job: str) -> dict[str, Any]:
    """The job's webhook as the API shows it."""
    (found,) = [each for each in deployment.job(job)["deliveries"] if each["kind"] == "webhook"]
    return dict(found)


def settled(deployment: Deployment, job: str, state: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """The job's webhook once it is in that state."""
    deployment.finished(job, 60)

    def look() -> dict[str, Any] | None:
        found = delivery(deployment, job)
        return found if found["state"] == state else None

    return until(look, timeout_s, f"the webhook of job {job} to be {state}")


def secrets_of(deployment: Deployment) -> list[str]:
    """What they are signed with."""
    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    try:
        return [each.secret for each in database.write_sync(webhook_secrets.current, "default")]
    finally:
        database.close()


def test_from_a_job_to_its_receiver(running: Deployment) -> None:
    """I expect one signed post with the report, and the delivery to say so."""
    with ReceiverThread() as thread:
        job = submit(running, thread.url)
        found = settled(running, job, "sent")
        ((headers, body),) = thread.receiver.got
    event = Webhook(secrets_of(running)[0]).verify(body, headers)
    assert (event["type"], event["data"]["id"], event["data"]["links"]["job"]) == (
        "job.succeeded",
        job,
        f"{running.url}/v1/jobs/{job}",
    )
    assert running.http.get(event["data"]["links"]["job"]).status_code == 200
    assert headers["webhook-id"] == found["id"]
    assert (found["recipient"], found["attempts"], found["last_error"]) == (thread.url, 1, None)


def test_a_cancelled_job(running: Deployment) -> None:
    """I expect its program to be told, and nobody else."""
    with ReceiverThread() as thread:
        running.kill("streamapp.inference")  # so that there is time to cancel it
        job = submit(running, thread.url)
        answer = running.http.delete(f"/v1/jobs/{job}")
        assert answer.json()["status"] == "cancelled"
        settled(running, job, "sent")
        ((headers, body),) = thread.receiver.got
    assert Webhook(secrets_of(running)[0]).verify(body, headers)["type"] == "job.cancelled"
    assert [each["kind"] for each in running.job(job)["deliveries"]] == ["webhook"]


def test_a_receiver_that_is_down_for_a_while(running: Deployment) -> None:
    """I expect the delivery to wait with its reason, and to arrive once the receiver is back."""
    with ReceiverThread() as thread:
        thread.stop()
        job = submit(running, thread.url)
        running.finished(job, 60)
        until(lambda: delivery(running, job)["last_error"], 30, "a failed attempt")
        assert delivery(running, job)["state"] in ("pending", "sending")
        thread.start()
        found = settled(running, job, "sent")
        assert len(thread.receiver.got) == 1
    assert found["attempts"] > 1


def test_a_receiver_that_flaps(running: Deployment) -> None:
    """I expect each of its failures to be answered by a repeat under the same id and with a fresh timestamp."""
    answers = iter([500, 503, 204])

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=next(answers))

    with ReceiverThread(answer) as thread:
        job = submit(running, thread.url)
        found = settled(running, job, "sent")
        got = thread.receiver.got
    assert found["attempts"] == 3
    assert [headers["webhook-id"] for headers, _ in got] == [found["id"]] * 3
    assert len({body for _, body in got}) == 1
    for headers, body in got:
        Webhook(secrets_of(running)[0]).verify(body, headers)


def test_a_receiver_that_hangs_beside_a_good_one(running: Deployment) -> None:
    """I expect the good one to have all of its webhooks while the other one's first is still being waited for."""
    never = asyncio.Event()

    async def hang(_: web.BaseRequest) -> web.Response:
        await never.wait()
        raise AssertionError("unreachable")

    with ReceiverThread(hang) as bad, ReceiverThread() as good:
        elsewhere = bad.url.replace("127.0.0.1", "localhost")  # lanes are by host
        stuck = [submit(running, elsewhere) for _ in range(8)]
        until(lambda: bad.receiver.got, 60, "the first post to the one that hangs")
        jobs = [submit(running, good.url) for _ in range(8)]
        for job in jobs:
            settled(running, job, "sent")
        states = {delivery(running, job)["state"] for job in stuck}
        assert states <= {"sending", "pending"}
        assert len(bad.receiver.got) < 4  # never all of the places
        bad.receiver.answer = 204


def test_given_up_and_redriven(running: Deployment) -> None:
    """I expect a dead letter after the last attempt, and the webhook to arrive after a redrive."""
    with ReceiverThread(500) as thread:
        job = submit(running, thread.url)
        found = settled(running, job, "dead")
        assert (found["attempts"], found["last_error"]) == (4, "500 Internal Server Error")
        letters = running.http.get("/v1/dead-letters", params={"job": job}).json()["items"]
        assert [letter["delivery"] for letter in letters] == [found["id"]]
        thread.receiver.answer = 204
        assert running.http.post(f"/v1/dead-letters/{letters[0]['id']}/redrive").status_code == 200
        again = settled(running, job, "sent")
    assert again["attempts"] == 1
    assert {headers["webhook-id"] for headers, _ in thread.receiver.got} == {found["id"]}


@pytest.mark.parametrize("point", ["send.before.{}webhook", "webhook.after"])
def test_a_worker_that_dies_around_a_webhook(point: str, broker: str, tmp_path: Path) -> None:
    """I expect it to arrive all the same, with the same body, and repeated only under its id."""
    faults = tmp_path / "faults"
    faults.mkdir()
    settings = SETTINGS | {"STREAMAPP_WEBHOOK_TIMEOUT_S": "2", VARIABLE: str(faults)}
    with ReceiverThread() as thread, Deployment(broker, tmp_path, settings) as deployment:
        (faults / point.format(deployment.prefix)).touch()
        job = submit(deployment, thread.url)
        assert deployment.process is not None
        assert deployment.process.wait(60) == 128 + signal.SIGKILL
        assert not list(faults.iterdir())
        deployment.start()
        found = settled(deployment, job, "sent", 90)
        got = thread.receiver.got
    assert {headers["webhook-id"] for headers, _ in got} == {found["id"]}
    assert len(got) == (2 if point == "webhook.after" else 1)
    assert len({body for _, body in got}) == 1


def test_a_url_that_may_not_be_called(running: Deployment) -> None:
    """I expect a 422 that names the field and says why, in JSON and in a form, and no job."""
    before = running.http.get("/v1/jobs").json()["items"]
    for url in ("http://example.org/", "https://10.0.0.1/", "https://[::ffff:127.0.0.1]/", "ftp://x", "", 7):
        answer = running.http.post("/v1/jobs", json={"task": "echo", "text": "Hello.", "webhook": url})
        assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["webhook"]), url
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    form = {"task": "echo", "text": "Hello.", "webhook": "https://192.168.0.1/"}
    answer = running.http.post("/v1/jobs", files={name: (None, value) for name, value in form.items()})
    assert answer.status_code == 422
    assert "private" in answer.json()["detail"]
    assert running.http.get("/v1/jobs").json()["items"] == before


def test_the_same_key_with_another_webhook(running: Deployment) -> None:
    """I expect it to be another body."""
    with ReceiverThread() as thread:
        body = {"task": "echo", "text": "Hello.", "webhook": thread.url}
        statuses = [
            running.http.post("/v1/jobs", json=each, headers={"Idempotency-Key": "hook"}).status_code
            for each in (body, body, {**body, "webhook": f"{thread.url}?other"})
        ]
    assert statuses == [202, 202, 422]


def test_listen_shows_what_comes(running: Deployment, tmp_path: Path) -> None:
    """I expect the command's own line to work as it is, and the webhook to be shown with its signature checked."""
    port, log = free_port(), tmp_path / "listen.log"
    command = [sys.executable, "-m", "streamapp.cli", "listen", "--port", str(port)]
    environment = running.environment | {"PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        listener = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=Path(__file__).parents[2])
    try:
        line = until(_line_of(log, "curl "), 30, "the line to try")
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True)
        assert '"status":"queued"' in answer.stdout
        until(_line_of(log, "webhook "), 60, "the webhook")
        time.sleep(0.2)
    finally:
        listener.send_signal(signal.SIGINT)
        assert listener.wait(20) == 0
    shown = log.read_text()
    assert "signature ok" in shown
    assert '"type": "job.succeeded"' in shown
    assert "whsec_" not in shown
    assert "whsec_" not in running.log.read_text()
    assert os.path.getsize(log) < 10_000


def _line_of(log: Path, start: str) -> Callable[[], str | None]:
    return lambda: next((line for line in log.read_text().splitlines() if line.startswith(start)), None)
