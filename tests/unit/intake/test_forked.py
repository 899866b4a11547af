"""What each process has for itself."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from streamapp.intake.forked import PerProcess


def test_each_process_makes_its_own() -> None:
    """I expect a child to have another one than its parent, which keeps its own, also while a thread makes one."""
    made = PerProcess(os.getpid)
    assert made.get() == os.getpid()
    with made._lock:  # as if a thread were at it when the fork comes
        child = os.fork()
        if child == 0:
            signal.alarm(5)  # what waits for a lock that nobody has is ended
            os._exit(0 if made.get() == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert made.get() == os.getpid()


def test_threads_make_one() -> None:
    """I expect the first ones not to make two."""
    start, calls = threading.Barrier(4), []
    made = PerProcess(lambda: calls.append(1))
    threads = [threading.Thread(target=lambda: (start.wait(5), made.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]


def test_what_could_not_be_made_is_tried_again() -> None:
    """I expect the error now, and it once it can be."""
    answers = [OSError("not yet"), None]

    def make() -> str:
        if error := answers.pop(0):
            raise error
        return "made"

    made = PerProcess(make)
    with pytest.raises(OSError, match="not yet"):
        made.get()
    assert made.get() == "made"
