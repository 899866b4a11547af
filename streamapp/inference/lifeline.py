"""Between a model worker and the supervisor that started it: a leash, and a sign that it is ready or why it is not.

The leash is standard input, whose other end the supervisor holds and never writes to: it ends when the supervisor does,
however that was. The sign is a line in a pipe, empty or with a reason, so that a worker that dies of its work is told
from one that can't start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

__all__ = ["LEASH", "LONGEST", "READY", "hold_leash", "say_ready", "say_why"]

LEASH, READY = "STREAMAPP_LEASH", "STREAMAPP_READY"
LONGEST = 500  # bytes of a reason: a pipe takes that many at once


def hold_leash(farewells: Sequence[Callable[[], None]]) -> None:
    """Leave when the supervisor is gone, after calling what is in `farewells` by then; without one, do nothing."""
    if os.environ.get(LEASH) != "stdin":
        return

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 1024):
                continue
        for farewell in farewells:
            with suppress(Exception):
                farewell()
        os._exit(0)

    threading.Thread(target=wait, name="leash", daemon=True).start()


def say_ready() -> None:
    """Tell the supervisor that this worker has come as far as taking work."""
    _say(b"\n")


def say_why(reason: str) -> None:
    """Tell the supervisor why this worker can't start, in one line without its full stop."""
    _say(" ".join(reason.split()).encode("utf-8", "replace")[:LONGEST] + b"\n")


def _say(line: bytes) -> None:
    descriptor = os.environ.pop(READY, None)
    if descriptor is None:
        return
    with suppress(OSError):
        os.write(int(descriptor), line)
        os.close(int(descriptor))
