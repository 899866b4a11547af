"""One process that is started again at once whenever it ends, and that may be killed like a power cut would."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from streamapp.embedded.child import leashed

__all__ = ["Ended", "Kept"]

PAUSE_S = 0.1

#: Told of each end: the process's name, its exit code (128 plus the signal that ended it), `time.time()`.
Ended = Callable[[str, int, float], None]


class Kept:
    """A supervisor of one command, on a leash, so that nothing outlives the driver."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], folder: Path, log: Path, ended: Ended
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environ = environ
        self._folder = folder
        self._ended = ended
        self._leash: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and again whenever it ends, until `stop`."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        """End it and everything it started, at once."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        if self._leash is not None:
            self._end_group()
            await self._leash.wait()

    @property
    def process(self) -> psutil.Process | None:
        """The command's own process, None while there is none."""
        if self._leash is None or self._leash.returncode is not None:
            return None
        with suppress(psutil.Error):
            return next(iter(psutil.Process(self._leash.pid).children()), None)
        return None

    def below(self, *words: str) -> list[psutil.Process]:
        """The processes that the command started whose command line has these words in a row."""

        def has_them(child: psutil.Process) -> bool:
            line = child.cmdline()
            return any(tuple(line[at : at + len(words)]) == words for at in range(len(line)))

        return self._children(has_them)

    def named(self, name: str) -> list[psutil.Process]:
        """The processes below the command that call themselves that."""
        return self._children(lambda child: child.name() == name)

    def _children(self, wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
        process, found = self.process, []
        with suppress(psutil.Error):
            found = process.children(recursive=True) if process else []
        return [child for child in found if _is(child, wanted)]

    def kill(self) -> bool:
        """kill -9 to the command. False when there is none right now."""
        process = self.process
        if process is None:
            return False
        with suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
            return True
        return False

    async def _spawn(self) -> None:
        self._leash = await asyncio.create_subprocess_exec(
            *leashed(self._command, self.log),
            stdin=asyncio.subprocess.PIPE,  # its end, when the driver dies in whatever way, ends the command
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._environ),
            cwd=self._folder,
            start_new_session=True,
        )

    async def _keep(self) -> None:
        while True:
            assert self._leash is not None, "start() comes first"
            code = await self._leash.wait()
            self._end_group()  # whatever it had started itself
            self._ended(self.name, code, time.time())
            await asyncio.sleep(PAUSE_S)
            await self._spawn()

    def _end_group(self) -> None:
        if self._leash is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._leash.pid, signal.SIGKILL)


def _is(child: psutil.Process, wanted: Callable[[psutil.Process], bool]) -> bool:
    """Whether it is one that is wanted; one that ended meanwhile is not."""
    try:
        return wanted(child)
    except psutil.Error:
        return False
