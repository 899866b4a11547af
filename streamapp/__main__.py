"""`streamapp`, and `python -m streamapp`: the entry point, which ends quietly at Ctrl-C from its first moment on.

What the commands need takes a second and more to import, and an interrupt in the middle of that would be shown as a
traceback of whatever was being imported. So this module imports nothing of it until it has a handler of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

__all__ = ["main"]

INTERRUPTED = 130  # as shells have it for SIGINT


def main() -> None:
    """Run the command of this process's arguments, and exit."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored, as under nohup
    if heard:
        signal.signal(signal.SIGINT, _leave)
    from streamapp.cli import main as run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _leave(*_: object) -> NoReturn:
    """Nothing was begun yet. An exception would not do: half-imported libraries may swallow it or wrap it."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
