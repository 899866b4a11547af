"""Runs one command, keeps its output in a bounded log, and ends it when the process that started us is gone.

`up` holds the other end of our standard input and never writes to it: end of file there means that `up` died, however
it died. A parent-death signal would do the same on Linux only, and fires when a *thread* ends.

Run by path with ``python -I -S``, so it starts in a few milliseconds and must import nothing but the standard library.
Usage: leash.py LOG COMMAND [ARGUMENT …]. Exits with the command's exit code, or 128 plus the signal that ended it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

__all__ = ["main"]

LOG_BYTES = 16 * 1024 * 1024
ORPHAN_GRACE_S = 8.0


def main(arguments: list[str]) -> int:
    """Run until the command ends; returns its exit code."""
    log, command = Path(arguments[0]), arguments[1:]
    if os.getpgrp() != os.getpid():
        os.setsid()  # the group is killed at the end: it must hold nobody but us and the command
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; `up` decides what it means
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    orphaned = threading.Event()
    threading.Thread(target=_watch_parent, args=(child, orphaned), daemon=True).start()
    assert child.stdout is not None
    pump = threading.Thread(target=_pump, args=(child.stdout, log), daemon=True)
    pump.start()
    code = child.wait()
    pump.join(1.0)  # what the command's own children still say is not waited for
    if orphaned.is_set():
        os.killpg(0, signal.SIGKILL)  # nobody else is left to end the command's own children
    return 128 - code if code < 0 else code


def _watch_parent(child: subprocess.Popen[bytes], orphaned: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    orphaned.set()
    child.terminate()
    try:
        child.wait(ORPHAN_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


def _pump(source: BinaryIO, log: Path) -> None:
    """Copy to the log; a full one becomes ``<name>.1``. On a full disk the output is dropped, the command goes on."""
    while chunk := os.read(source.fileno(), 65536):
        with contextlib.suppress(OSError), open(log, "ab", buffering=0) as target:
            target.write(chunk)
            if target.tell() > LOG_BYTES:
                os.replace(log, f"{log}.1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
