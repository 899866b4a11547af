"""What `up` shows: a moving line with the time it takes on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Screen", "Step"]

PLAIN_EVERY_S = 5.0


class Step(Protocol):
    """One thing that takes a while."""

    def at(self, done: int, total: int) -> None:
        """So much of it is done."""

    def say(self, detail: str) -> None:
        """What is going on inside."""

    def fail(self) -> None:
        """It ends without having done what it was for."""


class Screen:
    """The console of one `up`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def line(self, text: str = "") -> None:
        """One line, as it is: no markup is read into it."""
        self._console.print(text, markup=False)

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show that it goes on, then how it ended and how long it took. An error leaves no "done"."""
        began = time.monotonic()
        step: _Moving | _Plain
        if self._console.is_terminal:
            with self._progress() as progress:
                yield (step := _Moving(progress, text))
        else:
            self.line(f"… {text}")
            yield (step := _Plain(self, text))
        self.line(f"{'✗' if step.failed else '✓'} {text} ({time.monotonic() - began:.1f} s)")

    def _progress(self) -> Progress:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
        )
        return Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)


class _Ending:
    failed = False

    def fail(self) -> None:
        self.failed = True


class _Moving(_Ending):
    def __init__(self, progress: Progress, text: str) -> None:
        self._progress, self._text = progress, text
        self._task = progress.add_task(text, total=None, count="")

    def at(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total or None, count=f"{done}/{total}" if total else "")

    def say(self, detail: str) -> None:
        self._progress.update(self._task, description=f"{self._text}: {detail}")


class _Plain(_Ending):
    """A line now and then: at the end, and not more often than every few seconds."""

    def __init__(self, screen: Screen, text: str) -> None:
        self._screen, self._text = screen, text
        self._next = time.monotonic() + PLAIN_EVERY_S
        self._said = ""

    def at(self, done: int, total: int) -> None:
        self._now_and_then(f"{done}/{total}")

    def say(self, detail: str) -> None:
        self._now_and_then(detail)

    def _now_and_then(self, detail: str) -> None:
        now = time.monotonic()
        if now >= self._next and detail != self._said:
            self._next, self._said = now + PLAIN_EVERY_S, detail
            self._screen.line(f"  {self._text}: {detail}")
