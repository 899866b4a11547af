"""Between a model worker and the supervisor that started it: a leash, and a sign that it is ready.

The leash is standard input, whose other end the supervisor holds and never writes to: it ends when the supervisor does,
however that was. The sign is one byte in a pipe, so that a worker that dies of its work is told from one that can't
start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

__all__ = ["LEASH", "READY", "hold_leash", "say_ready"]

LEASH, READY = "STREAMAPP_LEASH", "STREAMAPP_READY"


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
    descriptor = os.environ.pop(READY, None)
    if descriptor is None:
        return
    with suppress(OSError):
        os.write(int(descriptor), b"\n")
        os.close(int(descriptor))
