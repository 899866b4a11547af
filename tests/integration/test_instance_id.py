"""Each worker has a name of its own in its group; of two that are given the same one, one leaves and says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from streamapp.models import Delivery
from streamapp.slots import HOME_ID
from streamapp.testing.deployment import Deployment, until
from tests.integration.observer import faust_worker, held_done, held_environment, members, publish

pytestmark = pytest.mark.timeout(300)

ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEVICE": "cpu"}
EVICTED = "local member_id was not recognized"


def test_two_homes_on_one_host_share_the_work(broker: str, tmp_path: Path) -> None:
    """I expect two members with partitions each, and neither to evict the other."""
    with Deployment(broker, tmp_path, ECHO) as first:
        second = first.spawn_another()
        until(second.ready, 120, f"the second worker; its log is {second.log}")
        found = until(
            lambda: two if len(two := members(broker, first.environment["STREAMAPP_GROUP"])) == 2 else None,
            60,
            "two members",
        )
        assert all(found.values())
        jobs = [worker.submit({"task": "echo", "text": "Shared."}) for worker in (first, second) for _ in range(4)]
        assert {first.finished(job, 60)["status"] for job in jobs} == {"succeeded"}
        assert [EVICTED in worker.log.read_text() for worker in (first, second)] == [False, False]


def test_a_worker_that_waits_for_a_partition_is_ready(broker: str, tmp_path: Path) -> None:
    """I expect the second of two workers of one partition to take requests, which need none."""
    with Deployment(broker, tmp_path, {**ECHO, "STREAMAPP_TOPIC_PARTITIONS": "1"}) as first:
        second = first.spawn_another()
        until(second.ready, 120, f"the second worker; its log is {second.log}")
        shares = members(broker, first.environment["STREAMAPP_GROUP"])
        assert len(shares) == 2
        assert first.finished(second.submit({"task": "echo", "text": "Taken."}), 60)["status"] == "succeeded"


def test_of_two_with_one_id_one_leaves_and_nothing_is_lost(broker: str, tmp_path: Path) -> None:
    """Two model workers, one home a copy: I expect one to leave with a sentence, and the other to do all work once."""
    jobs = Deployment(broker, tmp_path, {**ECHO, "STREAMAPP_MODEL_WORKERS": "0"})
    group = f"{jobs.environment['STREAMAPP_GROUP']}-inference"
    with ExitStack() as stack:
        pair = [_model_worker(jobs, tmp_path / "original", stack)]
        stack.enter_context(jobs)  # which is ready once there is a model worker
        until(lambda: members(broker, group), 90, "the first model worker")
        (tmp_path / "copy" / "slots").mkdir(parents=True)
        shutil.copy(tmp_path / "original" / "slots" / HOME_ID, tmp_path / "copy" / "slots" / HOME_ID)
        pair.append(_model_worker(jobs, tmp_path / "copy", stack))

        accepted: list[str] = []
        while not (ended := [each for each in pair if each.poll() is not None]):
            accepted.append(_submit(jobs, len(accepted)))
            time.sleep(0.5)
        assert [each.returncode for each in ended] == [os.EX_CONFIG]
        home = ("original", "copy")[pair.index(ended[0])]
        said = [line for line in (tmp_path / f"{home}.log").read_text().splitlines() if line.startswith("streamapp: ")]
        assert len(said) == 1
        assert "-inference-0" in said[0]
        assert "STREAMAPP_HOME" in said[0]
        accepted += [_submit(jobs, len(accepted) + number) for number in range(4)]
        assert {jobs.finished(job, 60)["status"] for job in accepted} == {"succeeded"}
        assert len(jobs.mails(len(accepted), 60)) == len(accepted)
        assert [each.poll() for each in pair if each not in ended] == [None]


@pytest.mark.parametrize(
    "change",
    [{"TOPICS": "held more"}, {"TOPICS": "more"}, {"TOPICS": "more", "STREAMAPP_WEB_PORT": "6001"}],
    ids=["one more", "another", "another and an address"],
)
def test_one_that_comes_back_and_reads_something_else(change: dict[str, str], broker: str, tmp_path: Path) -> None:
    """Within its session: I expect it to be given its new topic, not what it had (the broker would not look)."""
    environment = {**held_environment(broker, tmp_path), "SESSION_S": "30"}
    with faust_worker("held_app", environment, tmp_path / "first.log") as first:
        until(lambda: "Worker ready" in (tmp_path / "first.log").read_text(), 90, "the first")
        first.kill()
        first.wait(10)
    with faust_worker("held_app", {**environment, **change}, tmp_path / "second.log"):
        more = f"{environment['STREAMAPP_TOPIC_PREFIX']}more"
        until(lambda: _published(broker, more), 60, "the new topic")
        until(lambda: "m0" in held_done(tmp_path), 90, "the message on the new topic")


def _published(broker: str, topic: str) -> bool:
    try:
        return bool(publish(broker, topic, [Delivery("m0").dumps()]))
    except KafkaError:
        return False


def _model_worker(jobs: Deployment, home: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    environment = {
        **jobs.environment,
        "STREAMAPP_HOME": str(home),
        "STREAMAPP_DATABASE_URL": f"sqlite:///{jobs.home / 'streamapp.db'}",
        "STREAMAPP_BLOB_URL": (jobs.home / "blobs").as_uri(),
    }
    return stack.enter_context(faust_worker("streamapp.inference", environment, home.with_suffix(".log")))


def _submit(worker: Deployment, number: int) -> str:
    return worker.submit({"task": "echo", "text": f"Job {number}.", "email": f"{number}@localhost"})
