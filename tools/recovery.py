"""Measures how long it takes until work goes on when a worker is gone: ``python -m tools.recovery [ROUNDS]``.

Each figure is the worst and the median of a few rounds, in seconds. What is promised, on a machine that does nothing
else: after kill -9 the intake answers within 6 s and results flow within 20 s; another worker takes over the partitions
of one that is gone for good within 15 s, of which 10 s are the session timeout: a static member that stops says no
goodbye, because it may come back (KIP-345).
"""

from __future__ import annotations

import functools
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment, until

__all__ = ["Figures", "main", "restart", "takeover"]

Figures = Mapping[str, float]

SETTINGS = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEVICE": "cpu"}
SUPERVISOR_S = 0.5  # what `streamapp up` waits before it starts a worker again
JOBS = 48  # enough that every partition of eight has some
BOUND_S = 180.0
BODY = {"task": "echo", "text": "Does work go on?"}


def restart(deployment: Deployment) -> Figures:
    """kill -9 of the worker, which is started again as `streamapp up` would; a job was accepted just before."""
    job = deployment.submit(BODY)
    began = time.monotonic()
    deployment.kill("streamapp")
    assert deployment.process is not None
    deployment.process.wait(10)
    time.sleep(SUPERVISOR_S)
    deployment.spawn()
    until(lambda: _accepts(deployment), BOUND_S, "the intake", every_s=0.05)
    intake = time.monotonic() - began
    deployment.finished(job, BOUND_S)
    results = time.monotonic() - began
    until(deployment.ready, BOUND_S, "the worker to be ready")
    return {"intake answers": intake, "results flow": results, "ready": time.monotonic() - began}


def takeover(gone: Deployment, stays: Deployment, number: signal.Signals) -> Figures:
    """A worker that gets a signal and does not come back: until the other has ended jobs on every partition."""
    began = time.monotonic()
    for worker in gone.workers("streamapp"):
        worker.send_signal(number)
    jobs = [stays.submit(BODY) for _ in range(JOBS)]
    for job in jobs:
        stays.finished(job, BOUND_S)
    took = time.monotonic() - began
    assert gone.process is not None
    gone.process.wait(30)
    return {f"taken over after {number.name}": took}


def main(arguments: Sequence[str]) -> int:
    """Measure, and print one line a figure."""
    rounds = int(arguments[0]) if arguments else 3
    with kafka_broker() as broker, tempfile.TemporaryDirectory(prefix="streamapp-recovery-") as folder:
        with Deployment(broker, Path(folder) / "one", SETTINGS) as alone:
            _measure(rounds, lambda: restart(alone))
        for number in (signal.SIGKILL, signal.SIGTERM):
            with Deployment(broker, Path(folder) / number.name, SETTINGS) as stays:
                gone = stays.another()
                _measure(rounds, functools.partial(_came_and_went, gone, stays, number))
    return 0


def _came_and_went(gone: Deployment, stays: Deployment, number: signal.Signals) -> Figures:
    gone.start()
    for job in [stays.submit(BODY) for _ in range(JOBS)]:
        stays.finished(job, BOUND_S)
    return takeover(gone, stays, number)


def _measure(rounds: int, measure: Callable[[], Figures]) -> None:
    found = [measure() for _ in range(rounds)]
    for name in found[0]:
        values = [each[name] for each in found]
        sys.stdout.write(f"{name:28} worst {max(values):6.1f} s   median {statistics.median(values):6.1f} s\n")
        sys.stdout.flush()


def _accepts(deployment: Deployment) -> bool:
    try:
        return deployment.http.post("/v1/jobs", json=BODY, timeout=2.0).status_code == 202
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
