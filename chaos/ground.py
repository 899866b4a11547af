"""The deployment that is attacked: a broker, a worker with its model worker, and the folder they keep everything in."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from chaos.kept import Ended, Kept
from streamapp.delivery import clerk
from streamapp.embedded import broker, jars
from streamapp.embedded.ports import free_port
from streamapp.kafka.access import Kafka

__all__ = ["GROUP", "MAIL_TIMEOUT_S", "PARTITIONS", "PREFIX", "ROOT", "Ground"]

ROOT = Path(__file__).resolve().parents[1]
PREFIX, GROUP = "chaos.", "chaos"
PARTITIONS = 4
MAIL_TIMEOUT_S = 4.0
READY_S = 400.0  # on a machine that does much else
MODEL_WORKER = ("-m", "faust", "-A", "streamapp.inference")


class Ground:
    """Everything of one run. `code` is the folder whose package runs; `ended` hears of each process's end."""

    def __init__(self, folder: Path, code: Path, smtp_port: int, settings: Mapping[str, str], ended: Ended) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.faults = folder / "faults"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.faults.mkdir(parents=True)
        self._code = code
        self._ended = ended
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")},
            "STREAMAPP_HOME": str(self.home),
            "STREAMAPP_WEB_PORT": str(self.port),
            "STREAMAPP_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
            "STREAMAPP_TOPIC_PREFIX": PREFIX,
            "STREAMAPP_GROUP": GROUP,
            "STREAMAPP_TOPIC_PARTITIONS": str(PARTITIONS),
            "STREAMAPP_MAIL_TIMEOUT_S": str(MAIL_TIMEOUT_S),
            "STREAMAPP_MAIL_ATTEMPTS": "60",
            "STREAMAPP_MAIL_FIRST_RETRY_S": "1",
            "STREAMAPP_WEBHOOK_TIMEOUT_S": str(MAIL_TIMEOUT_S),
            "STREAMAPP_WEBHOOK_ATTEMPTS": "60",
            "STREAMAPP_WEBHOOK_FIRST_RETRY_S": "1",
            "STREAMAPP_IN_DOUBT": "resend",
            "STREAMAPP_TENANT_RUNNING": "20",  # so that some wait for room,
            "STREAMAPP_MEMORY_MB": "1",  # and some of what is remembered is forgotten
            "STREAMAPP_FAULTS": str(self.faults),
            "PYTHONPATH": str(code),
            **settings,
        }
        self.broker: Kept | None = None
        self.worker: Kept | None = None
        self.address = ""

    async def start(self, say: Callable[[str], None]) -> None:
        """Start everything and wait until it is ready. Raises TimeoutError, `StartError`."""
        say("starting a broker")
        files = await asyncio.to_thread(jars.fetch, jars.pinned(), jars.default_cache())
        kraft = broker.setup(self.folder / "broker", self.folder / "logs", free_port(), free_port(), files)
        await asyncio.to_thread(kraft.prepare)
        self.address = kraft.address
        log = self.folder / "logs" / "broker.out"
        self.broker = Kept("broker", kraft.serve(), broker.environment(self.folder), self.folder, log, self._ended)
        await self.broker.start()
        await broker.answers(Kafka(self.address), READY_S)
        say("starting a worker")
        command = [sys.executable, "-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
        environ = {**self._environ, "STREAMAPP_BROKER": self.address}
        self.worker = Kept("worker", command, environ, self._code, self.folder / "logs" / "worker.log", self._ended)
        await self.worker.start()
        await self._ready()

    async def stop(self) -> None:
        """End everything."""
        for kept in (self.worker, self.broker):
            if kept is not None:
                await kept.stop()

    async def _ready(self, timeout_s: float = READY_S) -> None:
        end = time.monotonic() + timeout_s
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False) as http:
            while time.monotonic() < end:
                with suppress(httpx.TransportError):
                    if (await http.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.2)
        raise TimeoutError(f"the worker is not ready after {timeout_s:.0f} s; its log is in {self.folder}/logs")

    def kill(self, who: str) -> bool:
        """kill -9 to the ``worker``, its mail ``clerk``, the ``model`` worker or the ``broker``.

        False when it does not run right now.
        """
        if who == "broker":
            return self.broker is not None and self.broker.kill()
        if who == "worker":
            return self.worker is not None and self.worker.kill()
        killed = False
        for process in self.clerks() if who == "clerk" else self.models():
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
                killed = True
        return killed

    def models(self) -> list[psutil.Process]:
        """The model workers that run."""
        return [] if self.worker is None else self.worker.below(*MODEL_WORKER)

    def clerks(self) -> list[psutil.Process]:
        """The processes that send e-mails."""
        return [] if self.worker is None else self.worker.named(clerk.NAME)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store's file says, read only. Raises sqlite3.Error while it can't be read."""
        uri = f"{(self.home / 'streamapp.db').as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
            return connection.execute(query, values).fetchall()

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.home / "streamapp.db"
