"""Compares what a job's status says of the time left with what then came to be: ``python -m tools.forecasts [real]``.

A whole deployment under mixed load: three books of one tenant at once and one of another, and short and middling jobs
at a steady rate. Each job's `eta_s` is read about ten times a second, and looked up at 10, 50 and 90 % of its life once
that is over. What is aimed at: nine of ten within a factor of 2. The predictor waits instead of computing, so that a
busy machine matters little; with ``real`` it is `summarize` with its model.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.harness.texts import Texts
from streamapp.documents.claim import Blobs
from streamapp.resources import JobResource
from streamapp.store.database import Database
from streamapp.store.present import present_job
from streamapp.store.reservations import NewJob, reserve
from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import FINAL, Deployment, until

__all__ = ["main"]

PARTS = (0.1, 0.5, 0.9)
LOOK_S = 0.02
SHORTEST_S = 0.05  # as streamapp.store.forecast has it
PAGE = 40
LONGEST_S = 900.0
USUAL_S = 0.01  # an item; where it takes longer, jobs come as much more slowly, so that the books come to an end
OTHER = "ben"


@dataclass(frozen=True, slots=True)
class Load:
    """Documents by kind, and how many seconds lie between two short and two middling ones."""

    task: str
    make: Callable[[str], str]
    short_s: float
    middling_s: float


@dataclass(slots=True)
class Life:
    """What was said of a job, by the moment at which it was said, and how it ended."""

    kind: str
    tenant: str
    said: list[tuple[float, float | None]] = field(default_factory=list)
    ended: JobResource | None = None

    def ratios(self) -> Iterator[float | None]:
        """Said over real seconds left at each part of its life; None where nothing was said by then.

        What was read last before that moment counts, less the seconds since, as who reads it would count down.
        """
        assert self.ended is not None
        assert self.ended.finished_at is not None
        began, ends = self.ended.created_at.timestamp(), self.ended.finished_at.timestamp()
        for part in PARTS:
            wanted = began + part * (ends - began)
            at, eta_s = max((each for each in self.said if each[0] <= wanted), default=(wanted, None))
            yield None if eta_s is None else max(SHORTEST_S, eta_s - (wanted - at)) / (ends - wanted)


class Scene:
    """A deployment, its jobs, and a thread that reads their status."""

    def __init__(self, deployment: Deployment, load: Load) -> None:
        self._deployment = deployment
        self._load = load
        self._database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
        self._blobs = Blobs((deployment.home / "blobs").as_uri())
        self._over = threading.Event()
        self.lives: dict[str, Life] = {}

    def come(self, kind: str) -> str:
        """A job over the API."""
        body = {"task": self._load.task, "text": self._load.make(kind)}
        job = self._deployment.submit(body)
        self.lives[job] = Life(kind, "")
        return job

    def come_of_other(self, kind: str) -> None:
        """One of the other tenant, put into the store: the API without keys knows one tenant only."""
        content = self._load.make(kind).encode()
        job = str(uuid.uuid4())
        claim = self._blobs.put(f"documents/{OTHER}/{job}/0", content)
        body_hash = hashlib.sha256(content).hexdigest()
        new = NewJob(OTHER, job, self._load.task, "{}", None, claim, "text/plain", len(content), body_hash)
        self._database.write_sync(reserve, new)
        self.lives[job] = Life(kind, OTHER)

    def watch(self) -> None:
        """Read the status of all that has not ended, until all has and no more will come."""
        while not self._over.wait(LOOK_S) or self._open():
            began = time.time()
            page = self._deployment.http.get("/v1/jobs", params={"limit": PAGE}).json()["items"]
            seen = {each["id"]: JobResource.model_validate(each) for each in page}
            for job, life in self._open():
                found = seen.get(job) or self._look(job, life)
                if found.status in FINAL:
                    life.ended = found
                else:
                    life.said.append(((began + time.time()) / 2, found.eta_s))

    def seconds_an_item(self, job: str) -> float:
        """Of a job that has ended and had the service for itself."""
        ended = self.lives[job].ended
        assert ended is not None
        assert ended.finished_at is not None
        return (ended.finished_at - ended.created_at).total_seconds() / ended.progress.total

    def end(self) -> None:
        """No more will come."""
        self._over.set()

    def _open(self) -> list[tuple[str, Life]]:
        return [(job, life) for job, life in list(self.lives.items()) if life.ended is None]

    def _look(self, job: str, life: Life) -> JobResource:
        if not life.tenant:
            return JobResource.model_validate(self._deployment.job(job))
        found = self._database.read_sync(lambda connection: present_job(connection, life.tenant, job, whole=False))
        assert found is not None
        return found


def perform(scene: Scene, load: Load, numbers: random.Random) -> None:
    """First one of each kind to learn from, then books and a steady rate of the rest until the books are done."""
    first = [scene.come(kind) for kind in ("short", "middling", "book")]
    until(lambda: all(scene.lives[job].ended for job in first), LONGEST_S, "the first jobs")
    slow = max(1.0, scene.seconds_an_item(first[-1]) / USUAL_S)
    scene.lives.clear()
    books = [scene.come("book") for _ in range(3)]
    scene.come_of_other("book")
    short, middling = time.monotonic() + 1.0, time.monotonic() + 2.0
    while not all(scene.lives[book].ended for book in books):
        now = time.monotonic()
        if now >= short:
            scene.come("short")
            short += numbers.uniform(0.5, 1.5) * load.short_s * slow
        if now >= middling:
            scene.come("middling")
            middling += numbers.uniform(0.5, 1.5) * load.middling_s * slow
        time.sleep(0.02)


def table(lives: Sequence[Life]) -> Iterator[str]:
    """A line a kind: how many of its estimates were within a factor of 2, and the median of said over real."""
    by_kind: dict[str, list[list[float | None]]] = defaultdict(list)
    for life in lives:
        by_kind[life.kind].append(list(life.ratios()))
        by_kind["all"].append(list(life.ratios()))
    yield f"{'':10}{'jobs':>6}" + "".join(f"{f'{part:.0%}':>16}" for part in PARTS) + f"{'all':>8}"
    for kind in sorted(by_kind, key=lambda kind: (kind == "all", kind)):
        rows = by_kind[kind]
        cells = "".join(f"{_share(column):>8.0%}{_median(column):>8.2f}" for column in zip(*rows, strict=True))
        every = _share([ratio for row in rows for ratio in row])
        yield f"{kind:10}{len(rows):>6}{cells}{every:>8.0%}"


def _share(ratios: Sequence[float | None]) -> float:
    return sum(ratio is not None and 0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)


def _median(ratios: Sequence[float | None]) -> float:
    return statistics.median([ratio for ratio in ratios if ratio is not None] or [0.0])


def waiting(numbers: random.Random) -> tuple[Load, Mapping[str, str]]:
    """Lines that are waited for."""
    sizes = {"short": (3, 20), "middling": (150, 500), "book": (2500, 4500)}

    def make(kind: str) -> str:
        return "\n".join(f"{numbers.random():.8f}" for _ in range(numbers.randint(*sizes[kind])))

    return Load("lines", make, 1.0, 6.0), {"STREAMAPP_TASKS": "tools.lines:Lines", "STREAMAPP_ONLY_TASKS": "lines"}


def real(numbers: random.Random) -> tuple[Load, Mapping[str, str]]:
    """Books, parts of a book and short stories, summarised."""
    texts = Texts()

    def make(kind: str) -> str:
        if kind == "short":
            return texts.short_job()["text"]
        share = numbers.uniform(0.5, 1.0) if kind == "book" else numbers.uniform(0.03, 0.08)
        book = texts.book()
        start = numbers.randrange(1 + int(len(book) * (1 - share)))
        return book[start : start + int(len(book) * share)]

    return Load("summarize", make, 2.0, 15.0), {"STREAMAPP_ONLY_TASKS": "summarize"}


def main(arguments: Sequence[str]) -> int:
    """Perform, and print the table."""
    numbers = random.Random(datetime.now().timestamp())
    load, tasks = (real if "real" in arguments else waiting)(numbers)
    settings = {"STREAMAPP_DEVICE": "cpu", **tasks}
    with (
        kafka_broker() as broker,
        tempfile.TemporaryDirectory(prefix="streamapp-forecasts-") as folder,
        Deployment(broker, Path(folder), settings) as deployment,
    ):
        scene = Scene(deployment, load)
        watching = threading.Thread(target=scene.watch, name="watch")
        watching.start()
        try:
            perform(scene, load, numbers)
        except BaseException:
            scene.lives.clear()  # and nothing is waited for
            raise
        finally:
            scene.end()
            watching.join()
        sys.stdout.writelines(f"{line}\n" for line in table(list(scene.lives.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
