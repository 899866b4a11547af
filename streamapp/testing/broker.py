"""A real Kafka broker for a test session: one process in a temporary folder on ports of its own, gone afterwards.

In a conftest.py::

    @pytest.fixture(scope="session")
    def broker() -> Iterator[str]:
        with kafka_broker() as address:
            yield address

Keep tests apart by topic prefix and group, not by brokers: one start takes seconds. ``STREAMAPP_TEST_BROKER`` names a
broker to use instead.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamapp.embedded import StartError, broker, jars, processes
from streamapp.embedded.child import last_line, leashed
from streamapp.embedded.kraft import Kraft
from streamapp.embedded.ports import free_port
from streamapp.kafka.access import Kafka

__all__ = ["kafka_broker", "node", "serving"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


@contextmanager
def kafka_broker() -> Iterator[str]:
    """Bootstrap servers (host:port) of a broker that answers. Raises `StartError` when it can't be had."""
    given = os.environ.get("STREAMAPP_TEST_BROKER")
    if given:
        _until_it_answers(given)
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="streamapp-kafka-"))
    try:
        kraft = node(folder)
        with serving(kraft, folder):
            yield kraft.address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def node(folder: Path) -> Kraft:
    """A broker in that folder, on ports that are free now, not started yet."""
    files = jars.fetch(jars.pinned(), jars.default_cache())
    return broker.setup(folder / "broker", folder / "logs", free_port(), free_port(), files)


@contextmanager
def serving(kraft: Kraft, folder: Path) -> Iterator[None]:
    """The broker of that folder runs and answers until the context ends; the folder stays. Raises `StartError`."""
    kraft.prepare()
    process = subprocess.Popen(
        leashed(kraft.serve(), kraft.logs / "broker.out"),
        stdin=subprocess.PIPE,  # its end, when the test process dies in whatever way, stops the broker
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=broker.environment(folder),
        start_new_session=True,
    )
    try:
        try:
            _until_it_answers(kraft.address)
        except StartError as error:
            raise StartError(f"The test broker did not start: {last_line(kraft.log)}") from error
        yield
    finally:
        _stop(process, folder)


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
    processes.end(processes.of_home(folder), 0.0)


def _until_it_answers(address: str) -> None:
    """In a thread, because a fixture may be asked for while an event loop runs here."""
    failure: list[BaseException] = []

    def ask() -> None:
        try:
            asyncio.run(broker.answers(Kafka(address), START_TIMEOUT_S))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=ask, name="broker answers")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
