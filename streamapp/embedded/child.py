"""One supervised child process: on a leash, started again with backoff when it ends, stopped with its whole group.

Used for the broker and for the worker. What an exit means is the caller's: `verdict` turns an exit code into the
error to give up with, or None to start it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streamapp.embedded import StartError
from streamapp.errors import StreamappError

__all__ = ["Child", "last_line", "leashed", "next_delay"]

logger = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
TRIES_AT_START = 5

_LEASH = Path(__file__).with_name("leash.py")


def leashed(command: Sequence[str], log: Path) -> list[str]:
    """The command line that runs `command` on a leash with its output in `log`."""
    return [sys.executable, "-I", "-S", str(_LEASH), str(log), *command]


def next_delay(previous: float | None, lived_s: float) -> float:
    """Seconds until the next start: doubled after each quick end, from the beginning again after a steady run."""
    if previous is None or lived_s >= STEADY_S:
        return FIRST_DELAY_S
    return min(previous * 2, LONGEST_DELAY_S)


def last_line(log: Path, start: str = "") -> str:
    """The last line with something in it that begins with `start`, of the last 64 KiB; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip() and line.startswith(start)), "")


class Child:
    """Start it, then keep `supervise` running as a task; `settled` once it has become ready."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        verdict: Callable[[int], StreamappError | None],
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self._command = command
        self._environ = environ
        self._verdict = verdict
        self._notice = notice
        self._process: asyncio.subprocess.Process | None = None
        self._settled = False
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The leash's process id, which is the id of the group; None when it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    def settled(self) -> None:
        """It is ready: from now on it is started again however often it ends."""
        self._settled = True

    async def start(self) -> None:
        """Start it. Raises `StartError` when the system can't."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *leashed(self._command, self.log),
                stdin=asyncio.subprocess.PIPE,  # never written to: its end tells the leash that we are gone
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environ,
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f"The {self.name} can't be started: {error.strerror}.") from error
        self.starts += 1

    async def supervise(self) -> None:
        """Start it again whenever it ends, until `stop`. Raises `StreamappError` when there is no point in that."""
        delay: float | None = None
        while True:
            assert self._process is not None, "start() comes first"
            began = time.monotonic()
            code = await self._process.wait()
            self._signal_group(signal.SIGKILL)  # whatever it had started itself
            if self._stopping:
                return
            self._give_up_if_pointless(code)
            delay = next_delay(delay, time.monotonic() - began)
            self._notice(
                f"The {self.name} ended (exit code {code}) and is started again in {delay:g} s; log: {self.log}"
            )
            await asyncio.sleep(delay)
            await self.start()

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, wait up to `grace_s` seconds, kill its group."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            self._signal(process.pid)
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                logger.warning("The %s was ended after %.0f s; what it had in hand is done again.", self.name, grace_s)
        self.kill()
        await process.wait()

    def kill(self) -> None:
        """End the whole group at once."""
        self._stopping = True
        self._signal_group(signal.SIGKILL)

    def _give_up_if_pointless(self, code: int) -> None:
        error = self._verdict(code)
        if error is not None:
            raise error
        if not self._settled and self.starts >= TRIES_AT_START:
            raise StartError(
                f"The {self.name} ended {self.starts} times before it was ready (exit code {code}); "
                f"its log is {self.log}, and it ends with: {last_line(self.log) or 'nothing'}"
            )

    def _signal_group(self, number: int) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return  # the group is empty

    @staticmethod
    def _signal(pid: int) -> None:
        try:
            os.kill(pid, signal.SIGTERM)  # the leash passes it on; the group's other members are the command's own
        except ProcessLookupError:
            return
