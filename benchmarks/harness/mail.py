"""The one mail server that both pipelines send to, and when each mail was there."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from benchmarks.harness.processes import Leashed, clean_environment
from streamapp.embedded.ports import free_port, is_free
from streamapp.testing.deployment import until

__all__ = ["MailSink"]

LOOK_S = 0.02


class MailSink:
    """A process of its own, so that it delays neither pipeline's sender nor the one who measures."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self._file = folder / "mails.txt"
        self._read = 0
        self._arrivals: dict[str, float] = {}
        command = [sys.executable, "-m", "benchmarks.sidecars.mail_sink", str(self.port), str(self._file)]
        self._process = Leashed(command, folder / "mail-sink.log", clean_environment())
        until(lambda: not is_free("127.0.0.1", self.port), 30.0, "the mail sink")

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def wait(self, addresses: Iterable[str], timeout_s: float) -> dict[str, float]:
        """When the first mail to each address was there, on the monotonic clock. Raises TimeoutError."""
        wanted = list(addresses)
        end = time.monotonic() + timeout_s
        while missing := self._missing(wanted):
            if time.monotonic() > end:
                raise TimeoutError(f"{len(missing)} of {len(wanted)} e-mails did not come, {missing[0]} first")
            time.sleep(LOOK_S)
        return {address: self._arrivals[address] for address in wanted}

    def _missing(self, wanted: Collection[str]) -> list[str]:
        with self._file.open(encoding="utf-8") as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._read += len(line)
                at, _, address = line.strip().partition(" ")
                self._arrivals.setdefault(address, float(at))
        return [address for address in wanted if address not in self._arrivals]
