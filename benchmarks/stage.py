"""The stage on which rows are measured: a broker, a mail sink, and what several rows share, started when asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Set
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from benchmarks.harness.mail import MailSink
from benchmarks.harness.processes import Sidecar
from benchmarks.harness.services import Origin, Ours
from benchmarks.harness.texts import Texts
from streamapp.testing.broker import kafka_broker

__all__ = ["FULL", "QUICK", "Sample", "Sizes", "Stage"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One paired run of one figure, both in the figure's unit."""

    ours: float
    other: float = 0.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. Times are in seconds."""

    book_characters: int | None = None
    accept_s: float = 10.0
    connections: int = 32
    open_rate: float = 100.0
    open_s: float = 15.0
    echoes: int = 30
    shorts: int = 20
    fair_jobs: int = 40
    fair_rate: float = 1.0
    few_books: int = 3
    many_books: int = 50
    burst: int = 2000
    waits: int = 240
    memory_books: int = 20
    memory_from: int = 5
    idle_s: float = 60.0
    settle_s: float = 15.0
    steady_s: float = 35.0
    mail_s: float = 1200.0


FULL = Sizes()
QUICK = Sizes(
    book_characters=8_000,
    accept_s=0.5,
    connections=4,
    open_rate=20.0,
    open_s=1.0,
    echoes=3,
    shorts=2,
    fair_jobs=3,
    fair_rate=4.0,
    few_books=2,
    many_books=3,
    burst=20,
    waits=8,
    memory_books=3,
    memory_from=2,
    idle_s=1.0,
    settle_s=0.0,
    steady_s=0.0,
    mail_s=90.0,
)


class Stage:
    """Use it as a context manager. `wanted` are the ids of the figures to measure, `say` hears what is being done."""

    def __init__(self, folder: Path, runs: int, sizes: Sizes, wanted: Set[str], say: Callable[[str], None]) -> None:
        self.folder = folder
        self.runs = runs
        self.sizes = sizes
        self.wanted = wanted
        self.say = say
        self.texts = Texts(sizes.book_characters)
        self._deployments: list[Ours] = []
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._shared = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._stack.close()

    @cached_property
    def broker(self) -> str:
        """The address of the broker that both pipelines use."""
        self.say("starting the broker")
        return self._stack.enter_context(kafka_broker())

    @cached_property
    def sink(self) -> MailSink:
        """Where both pipelines send mail."""
        sink = MailSink(self.folder)
        self._stack.callback(sink.stop)
        return sink

    @cached_property
    def ours(self) -> Ours:
        """streamapp with its defaults."""
        self.say("starting streamapp")
        return self._shared.enter_context(self.new_ours("shared"))

    @cached_property
    def origin(self) -> Origin:
        """The pipeline that it replaces, ready."""
        self.say("starting origin")
        origin = self._shared.enter_context(Origin(self.broker, self.folder / "origin", self.sink))
        origin.until_ready()
        return origin

    @cached_property
    def bare(self) -> Sidecar:
        """The bare model."""
        self.say("loading the bare model")
        return self._shared.enter_context(Sidecar("bare", self.folder))

    @cached_property
    def engine(self) -> Sidecar:
        """The engine alone."""
        self.say("loading the engine")
        return self._shared.enter_context(Sidecar("engine", self.folder))

    def new_ours(self, name: str, **settings: str) -> Ours:
        """A deployment for one row alone, not started yet."""
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        ours = Ours(self.broker, folder, self.sink, settings)
        self._deployments.append(ours)
        return ours

    def check(self) -> None:
        """Raise RuntimeError when a job of any deployment has failed so far."""
        for ours in self._deployments:
            ours.check()

    def leave(self) -> None:
        """End what rows share: the next row wants the machine for itself."""
        self._shared.close()
        self._shared = ExitStack()
        for name in ("ours", "origin", "bare", "engine"):
            self.__dict__.pop(name, None)
