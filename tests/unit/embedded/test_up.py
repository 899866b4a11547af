"""A signal ends `up` in order, and it says which one it was."""

from __future__ import annotations

import asyncio
import os
import signal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from streamapp.embedded.screen import Screen
from streamapp.embedded.up import Up
from streamapp.settings import Settings


class Signalled(Up):
    """Starts nothing, and sends itself a signal."""

    number = signal.SIGTERM

    async def _start_and_stay(self) -> None:
        os.kill(os.getpid(), self.number)
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGINT, "Ctrl-C (SIGINT)"),
        (signal.SIGHUP, "a terminal that was closed (SIGHUP)"),
    ],
)
def test_it_says_why_it_stops(tmp_path: Path, number: signal.Signals, why: str) -> None:
    """I expect one line with the signal, one when all is over, and the code of an interrupt: it was not up yet."""
    written = StringIO()
    up = Signalled(Settings(home=tmp_path), Screen(Console(file=written, soft_wrap=True)))
    up.number = number
    assert asyncio.run(up.run()) == 130
    assert written.getvalue().splitlines() == [f"Stopping because of {why}; once more stops at once.", "Stopped."]
