"""Finding messages that nobody will bring any more: consumed without effect, forgotten by a broker, deleted unread.

The evidence is where each message was put against what the groups have committed, so that what merely waits is never
touched, however long. A row is *suspect* when its message is below what its group has committed, below the
partition's first offset, or at its end or beyond (the broker lost it, or the topic was made anew), and the row is open
all the same. That is no proof yet: an operator may have sent the message on its way again, a chunk's result may be on
its topic, and a dead letter too. So a suspect waits until each topic of its path, one after the other, has been read
as far as it reached when its turn came, which under a constant load comes to pass although no lag is ever zero. A row
that is then still suspect, at the same place, is lost: it becomes unpublished, and the relay publishes it again.

See docs/adr/0011.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from streamapp.jobs.offsets import Snapshot
from streamapp.store import suspects
from streamapp.store.database import Database
from streamapp.store.suspects import Read, Suspect, What
from streamapp.topics import TopicNames

__all__ = ["LostAndFound"]

logger = logging.getLogger(__name__)

LIMIT = 5000  # rows of one sort that are looked at


class Groups(Protocol):
    """What `LostAndFound` needs to know of Kafka."""

    async def snapshot(self) -> Snapshot:
        """What the groups have read. Raises `BrokerUnavailable`."""


@dataclass(slots=True)
class _Cohort:
    """Suspects that were seen first in the same look, and the agents whose topics are yet to be read for them."""

    members: set[Suspect]
    path: list[str]
    ends: dict[int, int] = field(default_factory=dict)  # of the path's first

    def is_lost(self, now: Snapshot) -> bool:
        """Go along the path as far as it is read. True at its end."""
        while self.path:
            parts = now.get(self.path[0])
            if not parts:
                return False
            if not self.ends:
                self.ends = {number: part.end for number, part in parts.items()}
            for number, part in parts.items():  # an end that went back: that topic was made anew
                self.ends[number] = min(self.ends.get(number, part.end), part.end)
            if any(part.done < self.ends[number] for number, part in parts.items()):
                return False
            del self.path[0]
            self.ends = {}
        return True


class LostAndFound:
    """Looks when it is told to, and remembers what it saw. Only one worker does, under the sweeper's lease."""

    def __init__(self, database: Database, groups: Groups, names: TopicNames, predictors: Iterable[str]) -> None:
        self._database = database
        self._groups = groups
        self._ways: dict[str, tuple[What, tuple[str, ...]]] = {
            "inference": (What("job", names.inference), ("inference", "dead-letter")),
            "email": (What("delivery", names.email, "email"), ("email", "dead-letter")),
            "notification": (What("delivery", names.notification, "notification"), ("notification", "dead-letter")),
            "webhook": (What("delivery", names.webhook, "webhook"), ("webhook", "dead-letter")),
        }
        for predictor in sorted(predictors):
            agent = f"chunks.{predictor}"
            self._ways[agent] = (What("chunk", names.chunks(predictor), predictor), (agent, "results", "dead-letter"))
        self._cohorts: dict[str, list[_Cohort]] = {}

    async def look(self) -> int:
        """One look; returns how many rows are to be published again. Raises what store and broker raise."""
        if not await self._database.read(suspects.anything_sent):
            self._cohorts.clear()  # nothing is open, and Kafka is left in peace
            return 0
        now = await self._groups.snapshot()  # before the rows: one that is open after the commit was read counts
        found = 0
        for agent, (what, path) in self._ways.items():
            if now.get(agent):
                found += await self._look_at(agent, what, path, now)
        return found

    async def _look_at(self, agent: str, what: What, path: tuple[str, ...], now: Snapshot) -> int:
        reads = {number: Read(part.start, part.done, part.end) for number, part in now[agent].items()}
        seen = set(await self._database.read(suspects.suspects, what, reads, LIMIT))
        new, lost, waiting = set(seen), set[Suspect](), []
        for cohort in self._cohorts.get(agent, ()):
            cohort.members &= seen
            new -= cohort.members
            if cohort.is_lost(now):
                lost |= cohort.members
            elif cohort.members:
                waiting.append(cohort)
        self._cohorts[agent] = [*waiting, *([_Cohort(new, list(path))] if new else [])]
        if not lost:
            return 0
        found = await self._database.write(suspects.forget, what, sorted(lost))
        if found:
            logger.warning("%d messages of %s were lost and are published again", found, agent)
        return found
