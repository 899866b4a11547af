"""The process that decodes one document: it bounds itself before it looks at it, and says in one way what came of it.

Run as ``python -m streamapp.documents.child MEDIA_TYPE LIMITS PARENT`` with the document as standard input and a file
as standard output. Exit code 0: the output is the book; `REFUSED`: it is the reason; the others say what there
was not enough of. Anything else is a crash, or the end by a limit: SIGXCPU for processor time, SIGALRM by the clock.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from streamapp.book import dump_book
from streamapp.documents.decode import decode
from streamapp.documents.limits import Limits
from streamapp.errors import BadDocument

__all__ = ["NO_MEMORY", "NO_ROOM", "REFUSED", "TOO_LONG", "main"]

REFUSED: Final = 3
NO_MEMORY: Final = 4
TOO_LONG: Final = 5
NO_ROOM: Final = 6
PR_SET_PDEATHSIG: Final = 1
FIRST_TO_GO: Final = "1000"


def main(arguments: list[str]) -> int:
    """Decode; returns the exit code."""
    media_type, packed, parent = arguments
    limits = Limits(**json.loads(packed))
    _bound(limits)
    _follow(int(parent))
    logging.disable(logging.CRITICAL)  # libraries have much to say about damaged files
    try:
        out, code = dump_book(decode(sys.stdin.buffer, media_type, limits)), 0
    except BadDocument as error:
        out, code = str(error), REFUSED
    except MemoryError:
        return NO_MEMORY
    except RecursionError:
        out, code = "It is nested too deeply to be read.", REFUSED
    except Exception as error:  # whatever a library raises for a file that is damaged
        out, code = f"It is damaged: its reader met {type(error).__name__}: {error}"[:500], REFUSED
    return _say(out, code)


def _say(out: str, code: int) -> int:
    try:
        sys.stdout.buffer.write(out.encode("utf-8", "replace"))
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(sys.stdout.fileno(), 0)
        return TOO_LONG if error.errno == errno.EFBIG else NO_ROOM
    return code


def _bound(limits: Limits) -> None:
    seconds = max(1, int(limits.seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * limits.text + 4096, 2 * limits.text + 4096))
    signal.setitimer(signal.ITIMER_REAL, limits.clock_s)
    with suppress(OSError):  # where the machine is short of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)


def _follow(parent: int) -> None:
    """End when the thread that waits for this process does, however it ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # all is written, or can't be: nothing may change the code any more
