"""Processes that this one forks from a fork server, which has imported what they need: they start in milliseconds.

Forking this process itself would copy its threads' locks in whatever state they are.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.context import ForkServerContext

__all__ = ["forks", "leave_with_parent"]

PRELOADED = ["streamapp.jobs.taskwork", "streamapp.delivery.clerk"]


def forks() -> ForkServerContext:
    """What makes them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def leave_with_parent() -> None:
    """Wait until the process that started this one is gone, also by kill -9; then leave. For a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
