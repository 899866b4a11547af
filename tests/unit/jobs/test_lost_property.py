"""Lost messages, whatever happens in whatever order: what waits is let be, what is lost comes again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.offsets import Progress, Snapshot
from streamapp.store import suspects
from streamapp.store.database import Database
from streamapp.store.suspects import Read, Suspect, What
from streamapp.topics import TopicNames

CHUNKS = 3
EVENTS = (
    "look",
    "relay",
    "noted",  # the publisher writes down where its message is
    "computed",
    "swallowed",  # consumed, and nothing came of it
    "buried",
    "commit chunks",
    "collect",
    "result buried",
    "commit results",
    "letter",
    "commit letters",
    "redrive",
    "chunks anew",
    "results anew",
    "retention",
)
# what often follows each other; alone, single events seldom come so far
RUNS = (
    ("relay", "noted"),
    ("relay", "noted", "swallowed", "commit chunks"),
    ("relay", "noted", "computed", "commit chunks"),
    ("relay", "noted", "buried", "commit chunks"),
    ("letter", "commit letters", "redrive"),
    ("look", "result buried", "commit results"),
    ("collect", "commit results"),
    ("look", "look"),
    *((event,) for event in EVENTS),
)


class Topic:
    """One partition: messages say which chunk they are of. `next` is what the group works on next."""

    def __init__(self) -> None:
        self.start = self.next = 0
        self.committed: int | None = None
        self.messages: list[int] = []

    def take(self) -> int | None:
        """The next message."""
        self.next = max(self.next, self.start)
        if self.next >= len(self.messages):
            return None
        self.next += 1
        return self.messages[self.next - 1]

    def waits(self, chunk: int) -> bool:
        """Whether a message of it is yet to be taken."""
        return chunk in self.messages[max(self.next, self.start) :]


@dataclass(slots=True)
class Row:
    """A flying chunk, of a job of its own."""

    stored: bool = False
    buried: bool = False
    offset: int | None = None  # None: unpublished
    failures: int = 0


class World:
    """The three topics on a chunk's way, the store, and all who work there."""

    def __init__(self, meanwhile: Iterator[str]) -> None:
        self.meanwhile = meanwhile
        self.rows = [Row() for _ in range(CHUNKS)]
        self.chunks, self.results, self.letters = Topic(), Topic(), Topic()
        self.sent: dict[int, int] = {}  # messages that are not noted yet
        self.lost = LostAndFound(cast(Database, self), self, TopicNames("t."), ["model"])

    async def snapshot(self) -> Snapshot:
        """What Kafka says: first the commits, then the ends; and things happen between and after."""
        topics = {"chunks.model": self.chunks, "results": self.results, "dead-letter": self.letters}
        committed = {name: topic.committed for name, topic in topics.items()}
        self.happen(2)
        ends = {name: (topic.start, len(topic.messages)) for name, topic in topics.items()}
        self.happen(2)
        return {name: {0: Progress(committed[name], *ends[name])} for name in topics}

    async def read(self, work: Callable[..., Any], *args: Any) -> Any:
        """As the statements say."""
        return True if work is suspects.anything_sent else self._suspects(*args)

    def _suspects(self, _: What, reads: Mapping[int, Read], limit: int) -> list[Suspect]:
        low, high = max(reads[0].start, reads[0].done), reads[0].end
        return [
            Suspect((number,), 0, row.offset, row.failures)
            for number, row in enumerate(self.rows)
            if not row.stored and not row.buried and row.offset is not None and not low <= row.offset < high
        ]

    async def write(self, work: Callable[..., Any], _: What, lost: Iterable[Suspect]) -> int:
        """Forget, but what waits must not be among it."""
        assert work is suspects.forget
        found = 0
        for each in lost:
            (number,) = each.key
            row = self.rows[number]
            if not row.stored and not row.buried and row.offset == each.offset:
                assert not self.chunks.waits(number)
                assert not self.results.waits(number)
                assert not self.letters.waits(number)
                row.offset, found = None, found + 1
        return found

    def happen(self, count: int) -> None:
        """What happens in the middle of something else."""
        for _ in range(count):
            self.do(next(self.meanwhile, "nothing"))

    def do(self, event: str) -> None:
        """One thing."""
        if event == "relay":
            for number, row in enumerate(self.rows):
                if not row.stored and row.offset is None and number not in self.sent:
                    self.sent[number] = len(self.chunks.messages)
                    self.chunks.messages.append(number)
                    return
        elif event == "noted" and self.sent:
            number, offset = self.sent.popitem()
            self.rows[number].offset = offset
        elif event in ("computed", "swallowed", "buried"):
            taken = self.chunks.take()
            if taken is not None and event != "swallowed":
                (self.results if event == "computed" else self.letters).messages.append(taken)
        elif event == "collect" and (taken := self.results.take()) is not None:
            self.rows[taken].stored = True
        elif event == "result buried" and (taken := self.results.take()) is not None:
            self.letters.messages.append(taken)
        elif event == "letter" and (taken := self.letters.take()) is not None:
            self.rows[taken].buried = True
            self.rows[taken].failures += 1
        elif event == "redrive":
            self.redrive()
        elif event.startswith("commit"):
            topic = {"chunks": self.chunks, "results": self.results, "letters": self.letters}[event.split()[1]]
            topic.committed = topic.next
        elif event == "chunks anew":
            self.chunks = Topic()
        elif event == "results anew":
            self.results = Topic()
        elif event == "retention":
            self.chunks.start = len(self.chunks.messages)

    def redrive(self) -> None:
        """An operator puts a buried message on its topic again, and only then that is noted."""
        for number, row in enumerate(self.rows):
            if row.buried:
                self.chunks.messages.append(number)
                self.happen(1)
                row.buried = False
                return

    async def in_the_end(self) -> bool:
        """Everything works again. Whether all is stored soon."""
        order = ("noted", "relay", "noted", "letter", "redrive", "computed", "commit chunks", "collect")
        for _ in range(12 * CHUNKS):
            if all(row.stored for row in self.rows):
                return True
            for event in (*order, "commit results", "letter", "commit letters"):
                self.do(event)
            await self.lost.look()
        return False


@settings(max_examples=400, deadline=None)
@given(
    runs=st.lists(st.sampled_from(RUNS), max_size=20),
    meanwhile=st.lists(st.sampled_from(("nothing", *EVENTS[1:])), max_size=30),
)
def test_lost_or_waiting(runs: list[tuple[str, ...]], meanwhile: list[str]) -> None:
    """I expect no message that waits to be published again, and every lost one to be, in the end."""

    async def play() -> None:
        world = World(iter(meanwhile))
        for event in itertools.chain.from_iterable(runs):
            if event == "look":
                await world.lost.look()
            else:
                world.do(event)
        assert await world.in_the_end()

    asyncio.run(play())
