"""A worker that is stuck leaves and says what is stuck, and its work is done once it is started again."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment, until

STUCK_S = 4
EX_SOFTWARE = 70
BY_ITS_STACK = 1  # how faulthandler ends a process


def _deployment(broker: str, folder: Path) -> Deployment:
    """One whose jobs worker can be harmed (see sabotaged_task.py), without model workers: jobs are planned only."""
    settings = {
        "STREAMAPP_TASKS": "sabotaged_task:Sabotaged",
        "STREAMAPP_ONLY_TASKS": "sabotaged",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_MODEL_WORKERS": "0",
        "STREAMAPP_STUCK_S": str(STUCK_S),
        "PYTHONPATH": str(Path(__file__).parent),
        "SABOTAGE": str(folder / "sabotage"),
    }
    (folder / "sabotage").mkdir()
    return Deployment(broker, folder, settings)


def _spawn(deployment: Deployment) -> None:
    """Start the worker, and wait until it consumes."""
    before = deployment.log.read_text().count("Worker ready") if deployment.log.exists() else 0
    deployment.spawn()
    until(lambda: deployment.log.exists() and deployment.log.read_text().count("Worker ready") > before, 90, "a start")


def _harm(deployment: Deployment, deed: str) -> None:
    """Do it, and wait until it is done."""
    file = deployment.log.parent / "sabotage" / deed
    file.touch()
    until(lambda: not file.exists(), 10, deed)


def _planned(deployment: Deployment, job: str) -> None:
    until(lambda: deployment.job(job)["progress"]["total"], 150, "the job to be planned")


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("deed", "code", "says"),
    [
        pytest.param("pause {}inference", EX_SOFTWARE, "agent inference is stuck .* {}inference \\d", id="not fetched"),
        pytest.param("break inference", EX_SOFTWARE, "agent inference died.*sabotage", id="a dead agent"),
        pytest.param("crash", EX_SOFTWARE, "something crashed.*sabotage", id="a crash in Faust"),
        pytest.param("hold", BY_ITS_STACK, "sabotaged_task.py.*_hold", id="the GIL is held"),
    ],
)
def test_a_stuck_worker_leaves(broker: str, tmp_path: Path, deed: str, code: int, says: str) -> None:
    """I expect it to be gone in time, its log to name what was stuck, and the job to go on after a restart."""
    deployment = _deployment(broker, tmp_path)
    try:
        deployment._smtp.start()
        _spawn(deployment)
        if deed.startswith("pause"):
            _harm(deployment, deed.format(deployment.prefix))
            job = deployment.submit({"task": "sabotaged", "text": "Here."})
        else:
            job = deployment.submit({"task": "sabotaged", "text": "Here."})
            _harm(deployment, deed)
        assert deployment.process is not None
        assert deployment.process.wait(60) == code
        assert re.search(says.format(deployment.prefix), deployment.log.read_text(), re.DOTALL)
        deployment.stop()
        _spawn(deployment)
        _planned(deployment, job)
        assert deployment.stop() == 0
    finally:
        deployment.__exit__()


@pytest.mark.timeout(400)
def test_a_broker_that_is_away_is_no_reason(tmp_path: Path) -> None:
    """I expect a worker to stay while the broker stands still for long, and to do its work when it goes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STREAMAPP_TEST_BROKER", raising=False)
        with kafka_broker() as address:
            deployment = _deployment(address, tmp_path)
            try:
                deployment._smtp.start()
                _spawn(deployment)
                pid = deployment.workers("streamapp")[0].pid
                with _frozen(address):
                    job = deployment.submit({"task": "sabotaged", "text": "Here."})
                    time.sleep(5 * STUCK_S)
                _planned(deployment, job)
                assert [worker.pid for worker in deployment.workers("streamapp")] == [pid]
            finally:
                deployment.__exit__()


@contextmanager
def _frozen(address: str) -> Iterator[None]:
    """The broker at that address stands still: its connections stay open, and nothing answers."""
    port = int(address.rpartition(":")[2])
    pids = {
        process.pid
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
