"""Both pipelines as processes on one broker, with the same things to ask of each."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from benchmarks.harness.mail import MailSink
from benchmarks.harness.processes import ROOT, Leashed, clean_environment
from benchmarks.origin import EMAIL, INFERENCE, NOTIFICATION
from streamapp.embedded.child import leashed
from streamapp.embedded.ports import free_port
from streamapp.testing.deployment import Deployment, until

__all__ = ["Origin", "Ours", "PausedOurs", "Service"]

UP_S = 60.0
READY_S = 300.0
IDLE_S = 600.0
OPEN = "select count(*) from jobs where status in ('queued', 'running')"
FAILED = "select count(*) from jobs where status = 'failed'"
UNSENT = "select count(*) from deliveries where state in ('pending', 'sending')"
INBOX = "select count(*) from inbox"


class Service(Protocol):
    """A pipeline that takes jobs at `jobs_url`."""

    @property
    def jobs_url(self) -> str:
        """Where jobs are posted."""

    def inbox(self) -> int:
        """How many notifications there are."""


class Ours(Deployment):
    """streamapp with its defaults, but for where it sends mail."""

    def __init__(self, broker: str, folder: Path, sink: MailSink, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(broker, folder, {"STREAMAPP_SMTP_URL": sink.url, **(settings or {})})

    @property
    def jobs_url(self) -> str:
        """Where jobs are posted."""
        return f"{self.url}/v1/jobs"

    def start(self, ready_s: float = READY_S) -> None:
        """Start the worker and wait until it is ready, on a busy machine for long."""
        super().start(ready_s)

    def inbox(self) -> int:
        """How many notifications there are."""
        return self._count(INBOX)

    def until_idle(self) -> None:
        """Wait until every job has ended and every delivery was made."""
        until(lambda: self._count(OPEN) + self._count(UNSENT) == 0, IDLE_S, "all jobs to end", every_s=0.2)

    def check(self) -> None:
        """Raise RuntimeError when a job has failed: its address gets a mail too, and that would count as done."""
        if failed := self._count(FAILED):
            raise RuntimeError(f"{failed} jobs failed; the worker's log is {self.log}")

    def cancel(self, jobs: list[str]) -> None:
        """Cancel jobs, and wait until nothing is left."""
        for job in jobs:
            self.http.delete(f"/v1/jobs/{job}")
        self.until_idle()

    def until_model_workers(self, count: int) -> None:
        """Wait until that many live."""
        until(lambda: len(self.http.get("/v1/agents").json()["workers"]) >= count, UP_S, f"{count} model workers")

    def tree(self) -> list[psutil.Process]:
        """The worker, the model worker, and everything below them."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def _count(self, query: str) -> int:
        with closing(sqlite3.connect(f"file:{self.home / 'streamapp.db'}?mode=ro", uri=True)) as store:
            return int(store.execute(query).fetchone()[0])


class PausedOurs(Ours):
    """The same with its agents paused and no model worker: the intake alone."""

    def __init__(self, broker: str, folder: Path, sink: MailSink) -> None:
        super().__init__(broker, folder, sink, {"STREAMAPP_MODEL_WORKERS": "0"})

    def spawn(self) -> None:
        """Start it without waiting."""
        command = [sys.executable, "-m", "faust", "-A", "benchmarks.paused", "worker", "-l", "info"]
        self.process = subprocess.Popen(
            leashed(command, self.log), stdin=subprocess.PIPE, env=self.environment, cwd=ROOT
        )

    def ready(self) -> bool:
        """Whether partitions are assigned: the model worker is all that it waits for."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended: {self.log.read_text()[-3000:]}")
        try:
            answer = self.http.get("/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 or "consumer group" not in answer.text

    def workers(self, app: str | None = None) -> list[psutil.Process]:
        """The worker."""
        return [] if self.process is None or self.process.poll() is not None else self.tree()[:1]


class Origin:
    """The pipeline that streamapp replaces. Without `consumers` it is its intake alone."""

    def __init__(self, broker: str, folder: Path, sink: MailSink, *, consumers: bool = True) -> None:
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self._broker = broker
        self._folder = folder
        self._inbox = folder / "notifications.db"
        self._consumers = consumers
        self._children: list[Leashed] = []
        self._port = port
        self._environ = clean_environment(
            ORIGIN_BROKER=broker, ORIGIN_SMTP_PORT=str(sink.port), ORIGIN_INBOX=str(self._inbox)
        )

    def __enter__(self) -> Self:
        asyncio.run(_make_topics(self._broker))
        names = ("inference_consumer", "email_consumer", "notification_consumer") if self._consumers else ()
        for name in names:
            self._start(name, [sys.executable, "-m", f"benchmarks.origin.{name}"])
        gunicorn = [
            sys.executable,
            "-m",
            "gunicorn",
            "-k",
            "gthread",
            "-w",
            "2",
            "--threads",
            "3",
            "--no-control-socket",
        ]
        self._start("intake", [*gunicorn, "-b", f"127.0.0.1:{self._port}", "benchmarks.origin.app:app"])
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.stop()

    @property
    def jobs_url(self) -> str:
        """Where jobs are posted."""
        return f"{self._url}/kafka/pushToConsumers"

    def inbox(self) -> int:
        """How many notifications there are."""
        with closing(sqlite3.connect(f"file:{self._inbox}?mode=ro", uri=True)) as store:
            return int(store.execute(INBOX).fetchone()[0])

    def until_ready(self) -> None:
        """Wait until the consumers read and the intake answers; what is sent before is lost."""
        for child in self._children[:-1]:
            child.until_said("ready\n")
        until(self._answers, UP_S, "gunicorn")

    def _start(self, name: str, command: list[str]) -> None:
        self._children.append(Leashed(command, self._folder / f"{name}.log", self._environ))

    def _answers(self) -> bool:
        try:
            return httpx.get(self._url, trust_env=False).status_code == 404
        except httpx.TransportError:
            return False


async def _make_topics(broker: str) -> None:
    """By hand, as it is done there: one partition, one replica."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(8 * 1024 * 1024)}
        for name in (INFERENCE, NOTIFICATION, EMAIL):
            try:
                await admin.create_topics([NewTopic(name, 1, 1, topic_configs=limit)])
            except TopicAlreadyExistsError:
                continue
    finally:
        await admin.close()
