"""The worker dies at the worst moments: what was stored is not done again, and who was told is not told again."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from streamapp.faults import VARIABLE
from streamapp.models import Delivery
from streamapp.store.database import Database
from streamapp.store.schema import chunks
from streamapp.testing.deployment import Deployment, until
from tests.integration.observer import committed, faust_worker, held_done, held_environment, messages, publish

pytestmark = pytest.mark.timeout(180)

HERE = Path(__file__).parent
# the task and the app beside this file
PATH = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE))))
ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEVICE": "cpu"}
WORDS = [f"word{number:02d}" for number in range(24)]
SETTLED_S = 8.0  # longer than the relay's grace: what it would publish twice has come by then


def test_it_dies_after_storing_a_chunks_result(broker: str, tmp_path: Path) -> None:
    """I expect each chunk to be computed once, in a model worker that goes on meanwhile, and one e-mail."""
    settings = {
        "STREAMAPP_TASKS": "steered_task:Steered",
        "STREAMAPP_ONLY_TASKS": "steered",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_MODEL_WORKERS": "0",
        "STREAMAPP_CHUNK_ITEMS": "1",
        "STEERED": str(tmp_path / "steer"),
        "PYTHONPATH": PATH,
        VARIABLE: str(tmp_path / "faults"),
    }
    for folder in ("steer", "faults"):
        (tmp_path / folder).mkdir()
    deployment = Deployment(broker, tmp_path, settings)
    with faust_worker("streamapp.inference", deployment.environment, tmp_path / "model.log"), deployment:
        (tmp_path / "steer" / WORDS[8]).touch()  # some are stored by then, and some not begun
        job = deployment.submit({"task": "steered", "text": " ".join(WORDS), "email": "reader@localhost"})
        until(lambda: deployment.job(job)["progress"]["done"] >= 6, 30, "some results")

        (tmp_path / "faults" / "store.after.keep_result").touch()
        (tmp_path / "steer" / WORDS[8]).unlink()
        _dies(deployment)
        stored = _stored(deployment)
        assert 0 < len(stored) < len(WORDS)
        deployment.start()

        ended = deployment.finished(job, 60)
        assert (ended["status"], ended["report"]["text"]) == ("succeeded", " ".join(WORDS))
        _told_once(deployment, job)
        computed = Counter(result.value["chunk"] for result in messages(broker, f"{deployment.prefix}results"))
        assert computed == Counter(range(len(WORDS)))


@pytest.mark.parametrize("point", ["store.after._finish", "send.before.{}email", "send.after.{}email"])
def test_it_dies_when_a_job_is_complete_and_not_committed(point: str, broker: str, tmp_path: Path) -> None:
    """I expect one report, one e-mail and one notification, although the last result is delivered again."""
    faults = tmp_path / "faults"
    faults.mkdir()
    with Deployment(broker, tmp_path, {**ECHO, VARIABLE: str(faults)}) as deployment:
        (faults / point.format(deployment.prefix)).touch()
        job = deployment.submit({"task": "echo", "text": "Told once.", "email": "reader@localhost"})
        _dies(deployment)
        assert not list(faults.iterdir())
        deployment.start()

        ended = deployment.finished(job, 60)
        assert (ended["status"], ended["report"]["text"]) == ("succeeded", "Told once.")
        _told_once(deployment, job)
        group = deployment.environment["STREAMAPP_GROUP"]
        results = f"{deployment.prefix}results"
        ends = {(results, seen.partition): seen.offset + 1 for seen in messages(broker, results)}
        until(lambda: ends.items() <= committed(broker, group).items(), 20, "the commit of the last result")


@pytest.mark.parametrize("before", [0, 3])
def test_no_commit_goes_past_a_message_in_work(before: int, broker: str, tmp_path: Path) -> None:
    """Later ones end first: I expect no offset beyond it (Faust's issue 606), and it again after a kill -9."""
    environment = held_environment(broker, tmp_path)
    group = environment["STREAMAPP_GROUP"]
    topic = f"{environment['STREAMAPP_TOPIC_PREFIX']}held"
    place = (topic, 0)
    names = [f"m{number}" for number in range(before + 6)]
    held = names[before]
    with faust_worker("held_app", environment, tmp_path / "first.log") as first:
        until(lambda: "Worker ready" in (tmp_path / "first.log").read_text(), 60, "the app")
        if before:
            publish(broker, topic, [Delivery(name).dumps() for name in names[:before]])
            until(lambda: committed(broker, group).get(place) == before, 30, "a commit of what came before")
        (tmp_path / f"hold-{held}").touch()
        publish(broker, topic, [Delivery(name).dumps() for name in names[before:]])
        until(lambda: set(held_done(tmp_path)) == {*names} - {held}, 30, f"all but {held} to end")
        end = time.monotonic() + 5.0  # several commit intervals
        while time.monotonic() < end:
            assert committed(broker, group).get(place, 0) <= before
            time.sleep(0.5)
        first.kill()
        first.wait(10)
    (tmp_path / f"hold-{held}").unlink()
    with faust_worker("held_app", environment, tmp_path / "second.log"):
        until(lambda: held in held_done(tmp_path), 60, "the message that was in work")
        until(lambda: committed(broker, group).get(place) == len(names), 20, "the commit of all")


def _dies(deployment: Deployment) -> None:
    assert deployment.process is not None
    assert deployment.process.wait(60) == 128 + signal.SIGKILL


def _told_once(deployment: Deployment, job: str) -> None:
    deployment.mails(1, 30)
    kinds = ("email", "notification")
    until(
        lambda: [each["state"] for each in deployment.job(job)["deliveries"] if each["kind"] in kinds] == ["sent"] * 2,
        30,
        "both deliveries",
    )
    time.sleep(SETTLED_S)
    assert len(deployment.mails(1)) == 1
    lines = deployment.http.get("/v1/notifications").json()["items"]
    assert [line["event"] for line in lines if line["job_id"] == job] == ["succeeded"]


def _stored(deployment: Deployment) -> list[int]:
    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    try:
        rows = database.read_sync(lambda connection: connection.execute(chunks.select()).all())
        return [row.chunk for row in rows if row.state == "stored"]
    finally:
        database.close()
