"""One run from the first process to the verdict."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fuzz.described import described
from fuzz.drawn import BLOCK, block
from fuzz.ground import Ground, ground
from fuzz.mix import BY_HAND, SLOW, made, shares
from fuzz.places import PLACES
from fuzz.shot import Shot
from fuzz.strangers import answers_differ, strangers
from fuzz.table import Result
from fuzz.tally import Tally
from fuzz.watch import STEP, Watch, floors, growth, tracebacks
from fuzz.wire import Answer, fire
from streamapp.testing.deployment import until

__all__ = ["Order", "again", "run"]

AT_ONCE, SLOW_AT_ONCE = 12, 12
SLOPE_FROM = 50_000  # requests: a shorter run says little about memory
QUIET_S = 30.0
ENOUGH = 100  # findings


@dataclass(frozen=True, slots=True)
class Order:
    """How many requests, from which seed; `code` is the folder of another package to run, `log` where the log goes.

    After so many `seconds` it is enough, whatever was sent.
    """

    requests: int
    seed: int
    code: Path | None = None
    log: Path | None = None
    seconds: float | None = None


class _Run:
    def __init__(self, order: Order, place: Ground, tally: Tally) -> None:
        self.order = order
        self.place = place
        self.tally = tally
        self.enough = threading.Event()

    def send(self, name: str, shot: Shot) -> Answer:
        """Send one, and count it; nothing more when it is enough."""
        if self.enough.is_set():
            return Answer((), 0.0, "reset")
        answer = fire(self.place.target.port, shot)
        self.tally.shot(name, shot, answer)
        if len(self.tally.findings) >= ENOUGH:
            self.enough.set()
        return answer

    def shoot(self, name: str, numbers: range) -> None:
        """Those of one generator."""
        for number in numbers:
            if self.enough.is_set():
                return
            self.send(f"{name}/{number}", made(name, number, self.order.seed, self.place.target))

    def ask_for_hers(self, numbers: range) -> None:
        """Pairs of what is carol's and what is nobody's."""
        for number in numbers:
            name = f"strangers/{number}"
            chance = random.Random(f"{self.order.seed}/{name}")
            one, other = strangers(chance, self.place.target, self.place.hers, self.place.stranger)
            first, second = self.send(name, one), self.send(name, other)
            if first.ended == second.ended == "closed" and answers_differ((one, first.data), (other, second.data)):
                self.tally.found(
                    name, "what is another's is told apart", one.sent, first.data + b"\n----\n" + second.data
                )

    def draw(self, number: int, count: int) -> None:
        """A block of hypothesis's."""
        name = f"drawn/{number}"
        block(number, count, self.order.seed, self.place.target, partial(self.send, name))

    def work(self) -> Iterator[Callable[[], None]]:
        """All but schemathesis and the slow ones, in pieces of a few seconds, in some order."""
        parts = shares(self.order.requests)
        pieces: list[Callable[[], None]] = []
        for name in BY_HAND:
            pieces += [partial(self.shoot, name, numbers) for numbers in _cut(parts[name], 100)]
        pieces += [partial(self.ask_for_hers, numbers) for numbers in _cut(parts["strangers"] // 2, 50)]
        pieces += [partial(self.draw, number, len(part)) for number, part in enumerate(_cut(parts["drawn"], BLOCK))]
        random.Random(self.order.seed).shuffle(pieces)
        yield from pieces

    def go(self, say: Callable[[int], None]) -> None:
        """Send everything; `say` hears how many were sent."""
        parts, key = shares(self.order.requests), self.place.described
        url = self.place.deployment.url
        with ThreadPoolExecutor(AT_ONCE + SLOW_AT_ONCE + 1) as pool:
            aside = [pool.submit(described, url, key, parts["described"], self.order.seed, self.tally, self.enough)]
            aside += [
                pool.submit(self.shoot, SLOW, numbers)
                for numbers in _cut(parts[SLOW], -(-parts[SLOW] // SLOW_AT_ONCE) or 1)
            ]
            left, running, began = self.work(), set[Future[None]](), time.monotonic()
            more = True
            while more or running or aside:
                while more and len(running) < AT_ONCE and (piece := next(left, None)):
                    running.add(pool.submit(piece))
                more = more and len(running) == AT_ONCE
                done, _ = wait([*running, *aside], 0.5, FIRST_COMPLETED)
                for each in done:
                    each.result()
                running -= done
                aside = [each for each in aside if each not in done]
                say(self.tally.requests)
                if self.order.seconds is not None and time.monotonic() > began + self.order.seconds:
                    self.enough.set()


def _cut(count: int, size: int) -> list[range]:
    return [range(start, min(count, start + size)) for start in range(0, count, size)]


def run(order: Order, say: Callable[[int], None]) -> Result:
    """Run it. `say` gets how many requests were sent."""
    tally, began = Tally(), time.monotonic()
    with ground(order.code) as place:
        worker = place.deployment.workers("streamapp")[0]
        with Watch(place.deployment.url, worker, lambda: tally.requests) as watch:
            before = watch.files()
            _Run(order, place, tally).go(say)
            after = _quiet(watch, before)
        works = _works(place)
        found = dict(tracebacks(place.deployment.log))
        if order.log is not None:
            order.log.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place.deployment.log, order.log)
        met = {each.path for each in PLACES} & tally.routes.keys()
        return Result(
            seed=order.seed,
            seconds=time.monotonic() - began,
            requests=tally.requests,
            lines=tally.lines,
            findings=tally.findings,
            tracebacks=found,
            health=watch.health,
            floors=[
                (each.requests, each.rss)
                for each in floors(watch.memory, STEP if tally.requests >= SLOPE_FROM else max(1, tally.requests // 10))
            ],
            growth=growth(watch.memory, tally.requests // 5) if tally.requests >= SLOPE_FROM else None,
            files=(before, after),
            routes=len(met),
            all_routes=len({each.path for each in PLACES}),
            works=works,
        )


def _quiet(watch: Watch, before: int) -> int:
    """How many files stay open: connections that were cut may take a moment to end."""
    end = time.monotonic() + QUIET_S
    while (now := watch.files()) > before and time.monotonic() < end:
        time.sleep(0.2)
    return now


def _works(place: Ground) -> bool:
    """Whether a job still comes to its end."""
    job = place.deployment.submit({"task": "echo", "text": "After all that."})
    try:
        return bool(until(lambda: place.deployment.job(job)["status"] == "succeeded", 120.0, "a job after all that"))
    except TimeoutError:
        return False


def again(name: str, start: int, code: Path | None = None) -> tuple[Shot, Answer]:
    """Send one request of a run again, on a worker of its own: NAME/NUMBER, for those that are made by hand."""
    kind, _, number = name.partition("/")
    with ground(code) as place:
        shot = made(kind, int(number), start, place.target)
        return shot, fire(place.target.port, shot)
