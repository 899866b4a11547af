"""Leaving the process for certain, whatever hangs in it: a thread that never returns, the event loop, the GIL itself.

Nothing is lost by it: what was not acknowledged comes again, and a supervisor starts the worker again. What it must
never do is hang as well, so it waits for nobody: not for threads (Python joins those of its pools at exit), not for a
log whose reader is gone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from streamapp.errors import ConfigurationError, StreamappError

__all__ = ["CONFIGURATION", "SOFTWARE", "UNAVAILABLE", "Deadline", "how_ended", "leave", "leave_because", "pulse"]

logger = logging.getLogger(__name__)

UNAVAILABLE, SOFTWARE, CONFIGURATION = 69, 70, 78  # EX_UNAVAILABLE, EX_SOFTWARE and EX_CONFIG of sysexits(3)
SAY_S = 1.0
STDERR = 2  # the file itself, because Faust replaces sys.stderr
PULSE_S = 1.0


def leave(reason: str, code: int = SOFTWARE) -> NoReturn:
    """Say why, and end the process at once. Saying it takes a second at most, also when the log can't be written."""
    try:
        saying = threading.Thread(target=logger.critical, args=("leaving, because %s", reason), daemon=True)
        saying.start()
        saying.join(SAY_S)
    finally:
        os._exit(code)


def leave_because(error: StreamappError) -> NoReturn:
    """Say in one sentence what is wrong, and leave, before Faust's own crash path can commit anything."""
    os.write(STDERR, f"streamapp: {error}\n".encode())  # Faust turns what goes to sys.stderr into log lines
    os._exit(CONFIGURATION if isinstance(error, ConfigurationError) else UNAVAILABLE)


def how_ended(code: int) -> str:
    """How another process left, by its exit code, which is negative for a signal."""
    if code == -signal.SIGKILL:
        return "by SIGKILL, as happens where memory runs out"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"with exit code {code}"


class Deadline:
    """Ends the process `limit_s` seconds after `arm`. `why` says what had not ended by then.

    A thread waits and says why. A timer of `faulthandler`, which needs no GIL, follows it for the case that something
    holds that: it prints what every thread is doing.
    """

    def __init__(self, limit_s: float, why: Callable[[], str]) -> None:
        self._limit_s = limit_s
        self._why = why
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self.armed = False

    def prepare(self) -> None:
        """Start the thread that will wait: a signal handler may start none."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait, name="deadline", daemon=True)
            self._thread.start()

    def arm(self) -> None:
        """From now on the time runs; a second call changes nothing. A signal handler may call it."""
        if self.armed:
            return
        self.armed = True
        if self._thread is not None:
            self._wind_up(self._limit_s)
        self._due.set()

    @staticmethod
    def _wind_up(left_s: float) -> None:
        faulthandler.dump_traceback_later(left_s + SAY_S + 0.5, exit=True, file=STDERR)

    def _wait(self) -> None:
        self._due.wait()
        ends, never = time.monotonic() + self._limit_s, threading.Event()
        while (left := ends - time.monotonic()) > 0:  # again and again: there is one such timer, and others wind it up
            self._wind_up(left)
            never.wait(min(left, PULSE_S))
        try:
            why = self._why()
        except Exception as error:  # what it looks at changes in another thread
            why = f"something has not ended ({error!r})"
        leave(why)


async def pulse(limit_s: float, stopping: Deadline) -> None:
    """End the process when the event loop stands still for `limit_s` seconds; until the deadline takes over.

    The loop winds up a timer of `faulthandler` every second. When it no longer does, because something blocks it or
    holds the GIL, a thread without Python prints what every thread is doing, and the exit code is 1.
    """
    while not stopping.armed:
        faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR)
        await asyncio.sleep(min(PULSE_S, limit_s / 4))
