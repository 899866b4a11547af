"""A whole deployment for a test: the worker as its own process on a real broker, and a real mailbox over SMTP.

::

    with Deployment(broker, tmp_path, {"STREAMAPP_ONLY_TASKS": '["echo"]'}) as deployment:
        job = deployment.submit({"task": "echo", "text": "Hello.", "email": "reader@localhost"})
        assert deployment.finished(job)["status"] == "succeeded"
        assert len(deployment.mails(1)) == 1

Each has a topic prefix and a consumer group of its own, so that many can share a broker. A task in the folder that the
test was started in is found, as the worker finds it that is started there.
"""

from __future__ import annotations

import copy
import email
import email.policy
import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import psutil

from streamapp.embedded.child import leashed
from streamapp.embedded.ports import free_port
from streamapp.testing.mailbox import MailboxThread

__all__ = ["Deployment", "until"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

SAID = 3000  # characters of a log
FINAL = ("succeeded", "failed", "cancelled", "expired")


def until(look: Callable[[], T | None], timeout_s: float, what: str, every_s: float = 0.1) -> T:
    """What `look` gives once it gives something that is true. Raises TimeoutError that says what was waited for."""
    end = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(every_s)


class Deployment:
    """One jobs worker with its model worker. Use it as a context manager."""

    def __init__(self, broker: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.home = folder / "home"
        self.log = folder / "worker.log"
        self.mailbox = folder / "mail"
        self.code = Path(__file__).parents[2]  # Faust looks for the app where it is started, before anywhere else
        self.prefix = f"t{uuid.uuid4().hex[:8]}."
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False)
        self._smtp = MailboxThread(self.mailbox)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")},
            "STREAMAPP_HOME": str(self.home),
            "STREAMAPP_BROKER": broker,
            "STREAMAPP_WEB_PORT": str(self.port),
            "STREAMAPP_SMTP_URL": f"smtp://127.0.0.1:{self._smtp.port}",
            "STREAMAPP_TOPIC_PREFIX": self.prefix,
            "STREAMAPP_GROUP": self.prefix.rstrip("."),
            **(settings or {}),
        }
        self.environment["PYTHONPATH"] = _with_here(self.environment.get("PYTHONPATH", ""))
        self.process: subprocess.Popen[bytes] | None = None
        self.others: list[Deployment] = []

    def __enter__(self) -> Self:
        self._smtp.start()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for other in self.others:
            other.stop()
            other.http.close()
        self.stop()
        self.http.close()
        self._smtp.stop()

    def another(self, settings: Mapping[str, str] | None = None) -> Deployment:
        """One more jobs worker of this deployment, not started yet: a home and a port of its own, all else shared.

        It is stopped together with this one.
        """
        other = copy.copy(self)
        name = f"{len(self.others) + 2}"
        other.home = self.home.with_name(f"home{name}")
        other.log = self.log.with_name(f"worker{name}.log")
        other.port = free_port()
        other.url = f"http://127.0.0.1:{other.port}"
        other.http = httpx.Client(base_url=other.url, timeout=30.0, trust_env=False)
        other.process, other.others = None, []
        other.environment = {
            "STREAMAPP_DATABASE_URL": f"sqlite:///{self.home / 'streamapp.db'}",
            "STREAMAPP_BLOB_URL": (self.home / "blobs").as_uri(),
            **self.environment,
            "STREAMAPP_HOME": str(other.home),
            "STREAMAPP_WEB_PORT": str(other.port),
            **(settings or {}),
        }
        if key := self.http.headers.get("Authorization"):
            other.http.headers["Authorization"] = key
        self.others.append(other)
        return other

    def spawn_another(self, settings: Mapping[str, str] | None = None) -> Deployment:
        """`another` that is started; `until(other.ready, …)` waits for it."""
        other = self.another(settings)
        other.spawn()
        return other

    def start(self, ready_s: float = 90.0) -> None:
        """Start the worker and wait until it is ready."""
        self.spawn()
        until(self.ready, ready_s, f"the worker; its log is {self.log}")

    def spawn(self) -> None:
        """Start the worker without waiting. One that has ended before is forgotten."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        command = [sys.executable, "-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            leashed(command, self.log), stdin=subprocess.PIPE, env=self.environment, cwd=self.code
        )

    def ready(self) -> bool:
        """Whether the worker says that it is ready. Raises when it has ended instead."""
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.log.read_text()[-SAID:]}")
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, timeout_s: float = 30.0) -> int | None:
        """SIGTERM to the worker, and its exit code. One that is not 0 is logged with the end of the worker's log."""
        if self.process is None:
            return None
        code = self._stopped(self.process, timeout_s)
        if code:
            logger.warning("the worker ended with %d; the end of its log:\n%s", code, self.log.read_text()[-SAID:])
        return code

    def _stopped(self, process: subprocess.Popen[bytes], timeout_s: float) -> int:
        for worker in self.workers("streamapp"):
            worker.terminate()
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            for worker in self.workers():
                worker.kill()
            return process.wait(5)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the leash: what is left ends

    def workers(self, app: str | None = None) -> list[psutil.Process]:
        """The processes of this deployment's workers: `streamapp`, `streamapp.inference`, or both."""
        if self.process is None or self.process.poll() is not None:
            return []
        wanted = (app,) if app else ("streamapp", "streamapp.inference")
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            if "faust" in line and line[line.index("-A") + 1] in wanted and "-m" in line:
                found.append(process)
        return found

    def kill(self, app: str) -> None:
        """kill -9 to the workers of that app."""
        for worker in self.workers(app):
            os.kill(worker.pid, signal.SIGKILL)

    def submit(self, body: Mapping[str, Any], **headers: str) -> str:
        """Post a job as JSON; returns its id."""
        answer = self.http.post("/v1/jobs", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as the API shows it."""
        answer = self.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finished(self, job_id: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """The job once it has ended; a worker that is away meanwhile is waited for."""

        def look() -> dict[str, Any] | None:
            try:
                job = self.job(job_id)
            except httpx.TransportError:
                return None
            return job if job["status"] in FINAL else None

        try:
            return until(look, timeout_s, f"job {job_id} to end")
        except TimeoutError as error:
            said = self.log.read_text()[-SAID:] if self.log.exists() else ""
            raise TimeoutError(f"{error}; it is {self._state(job_id)}; the end of the worker's log:\n{said}") from error

    def _state(self, job_id: str) -> str:
        try:
            return json.dumps(self.job(job_id))
        except (httpx.TransportError, AssertionError) as error:
            return f"not known ({error!r})"

    def mails(self, count: int, timeout_s: float = 20.0) -> list[EmailMessage]:
        """What is in the mailbox, once there are `count` messages."""
        until(lambda: len(self._files()) >= count, timeout_s, f"{count} e-mails, there are {len(self._files())}")
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in self._files()]

    def _files(self) -> list[Path]:
        return sorted((self.mailbox / "new").glob("*"))


def _with_here(path: str) -> str:
    """That path, and behind all that is in it the folder that this process was started in."""
    return os.pathsep.join(filter(None, (path, os.getcwd())))
