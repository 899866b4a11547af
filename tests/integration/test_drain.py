"""SIGTERM: what is in hand is finished or handed back, in bounded time, and nothing is lost or done twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamapp.testing.deployment import Deployment, until

MODEL_WORKER = [sys.executable, "-m", "faust", "-A", "streamapp.inference", "worker", "-l", "info"]
BOUND_S = 20.0
EX_SOFTWARE = 70


def _deployment(broker: str, folder: Path) -> Deployment:
    settings = {
        "STREAMAPP_TASKS": "waiting_task:Waiting",
        "STREAMAPP_ONLY_TASKS": "waiting",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_MODEL_WORKERS": "0",
        "PYTHONPATH": str(Path(__file__).parent),
        "WAITING": str(folder),
    }
    return Deployment(broker, folder, settings)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ends", [True, False], ids=["a body that ends", "a body that hangs"])
def test_a_model_worker_with_work_in_hand_ends_in_bounded_time(broker: str, tmp_path: Path, ends: bool) -> None:
    """One that no supervisor would kill: what ends is finished, the rest is named and goes on, one mail a job."""
    deployment = _deployment(broker, tmp_path)
    first = second = None
    try:
        deployment._smtp.start()
        deployment.spawn()
        first = _model_worker(deployment, tmp_path / "first.log")
        until(deployment.ready, 90, "the worker to be ready")
        body = {"task": "waiting", "text": "A line. " * 2000, "params": {"chunk": 20}}
        jobs = [deployment.submit({**body, "email": f"{number}@localhost"}) for number in range(3)]
        until((tmp_path / "begun").exists, 90, "work to be in hand")

        first.terminate()
        until(lambda: "Signal received" in (tmp_path / "first.log").read_text(), 10, "the signal to be seen")
        if ends:
            (tmp_path / "go").touch()
        assert first.wait(BOUND_S) == (0 if ends else EX_SOFTWARE)
        assert ("is handed back" in (tmp_path / "first.log").read_text()) is not ends

        (tmp_path / "go").touch()
        second = _model_worker(deployment, tmp_path / "second.log")
        assert {deployment.finished(job, 60)["status"] for job in jobs} == {"succeeded"}
        assert sorted(mail["To"] for mail in deployment.mails(3)) == [f"{number}@localhost" for number in range(3)]
        assert deployment.stop(BOUND_S) == 0
    finally:
        for worker in (first, second):
            if worker is not None:
                worker.kill()
                worker.wait(10)
        deployment.__exit__()


def test_two_signals_to_a_model_worker_that_still_starts(broker: str, tmp_path: Path) -> None:
    """SIGTERM twice while a model hangs in `load`: it ends in bounded time, with nothing in hand."""
    deployment = _deployment(broker, tmp_path)
    deployment._smtp.start()
    (tmp_path / "no-load").touch()
    worker = _model_worker(deployment, tmp_path / "worker.log")
    try:
        until((tmp_path / "loads").exists, 60, "the model to load")
        began = time.monotonic()
        worker.terminate()
        until(lambda: "Signal received" in (tmp_path / "worker.log").read_text(), 10, "the signal to be seen")
        worker.terminate()
        assert worker.wait(BOUND_S) == 0
        assert time.monotonic() - began < BOUND_S
    finally:
        worker.kill()
        worker.wait(10)
        deployment.__exit__()


def _model_worker(deployment: Deployment, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            MODEL_WORKER, env=deployment.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
