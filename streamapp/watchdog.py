"""Leaves a worker that is stuck, and says what is: a supervisor starts it again, and its messages come again.

The evidence is Kafka's own (committed and end offsets), because what Faust remembers may be the very thing that is
dead. What is only slow by design must not be taken for stuck; the rules are in docs/adr/0010:

- a message in work is stuck when its agent has finished none, and shown no other progress, for `stuck_s` seconds and
  the agent's own `patience` (the longest that it may rightly be silent);
- whatever the others do, a message in work longer than a job may take (`worth_s`) is stuck as well;
- one that waits for the store or the broker may wait twice `stuck_s`;
- a partition that lags with none of its messages in work was not fetched, or not committed: it is stuck after `stuck_s`
  seconds in which no agent was full, since a full one rightly holds up the rest;
- time in which Kafka did not answer, or in which this process itself stood still, counts for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.flow import Flow, InWork
from streamapp.kafka.access import Kafka
from streamapp.leaving import leave

__all__ = ["GroupOffsets", "Lag", "Offsets", "Watchdog"]

logger = logging.getLogger(__name__)

LOOKS = 10  # in the time that makes something stuck
OFTEN_S, SELDOM_S = 0.5, 30.0
ASK_S = 10.0


@dataclass(frozen=True, slots=True)
class Lag:
    """A partition that is behind: the offset it goes on from, and its end."""

    next: int
    end: int


class Offsets(Protocol):
    """Where a consumer group is, asked of Kafka itself."""

    async def behind(self, partitions: Collection[TP]) -> Mapping[TP, Lag]:
        """Those of the partitions that lag. Raises when Kafka can't be asked."""

    async def close(self) -> None:
        """Let the connections go."""


class Watchdog:
    """Looks every few seconds, from `run` on; with `stuck_s` 0 never.

    `patience` is by agent, in seconds; `worth_s` is how long work on one message is worth anything to anybody.
    """

    def __init__(
        self,
        flows: Sequence[Flow],
        assigned: Callable[[], Iterable[TP]],
        offsets: Offsets,
        stuck_s: float,
        patience: Mapping[str, float],
        worth_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flows = {flow.topic: flow for flow in flows}
        self._assigned = assigned
        self._offsets = offsets
        self._stuck_s = stuck_s
        self._patience = patience
        self._worth_s = worth_s
        self._clock = clock
        self.every_s = min(max(stuck_s / LOOKS, OFTEN_S), SELDOM_S)
        self._looked = self._counts_from = self._progressed = clock()
        self._progress: object = None
        self._standing: dict[TP, tuple[int, float]] = {}  # the offset at which a partition stands, and since when

    async def run(self) -> None:
        """Look until the app stops; leave when something is stuck. Its own failures end nothing."""
        try:
            while self._stuck_s:
                await asyncio.sleep(self.every_s)
                reason = await self.look()
                if reason:
                    leave(reason)
        finally:
            await self._offsets.close()

    def note(self, progress: object) -> None:
        """Work goes on, if `progress` is another than the last time, also when no message is finished by it."""
        if progress != self._progress:
            self._progress, self._progressed = progress, self._clock()

    async def look(self) -> str:
        """What is stuck, in words; empty when nothing is."""
        started = self._clock()
        if started - self._looked > 2 * self.every_s + ASK_S:
            self._counts_from = started  # this process was stopped, or its machine slept
        try:
            partitions = [tp for tp in self._assigned() if tp.topic in self._flows]
            async with asyncio.timeout(ASK_S):
                behind = await self._offsets.behind(partitions)
        except Exception as error:
            known = isinstance(error, KafkaError | OSError | TimeoutError)
            logger.log(logging.DEBUG if known else logging.ERROR, "the watchdog can't look", exc_info=error)
            self._looked = self._counts_from = self._clock()
            return ""
        self._looked = self._clock()
        return self._stuck_work() or self._stuck_partition(behind)

    def _stuck_work(self) -> str:
        now = self._clock()
        for flow in self._flows.values():
            moved = max(flow.finished_at, self._progressed, self._counts_from)
            for work in flow.in_work():
                waits = work.waits_since is not None
                limit = 2 * self._stuck_s if waits else self._stuck_s + self._patience.get(flow.name, 0.0)
                stands = now - max(moved, work.since, work.waits_since or 0.0)
                whole = now - max(work.since, self._counts_from)
                if stands > limit or whole > self._worth_s + limit:
                    return f"agent {flow.name} is stuck for {max(stands, whole):.0f} s: {_words(work)}"
        return ""

    def _stuck_partition(self, behind: Mapping[TP, Lag]) -> str:
        now = self._clock()
        full = any(flow.full for flow in self._flows.values())
        busy = {work.tp for flow in self._flows.values() for work in flow.in_work()}
        before, self._standing = self._standing, {}
        for tp, lag in behind.items():
            offset, since = before.get(tp, (-1, now))
            if full or tp in busy or offset != lag.next:
                since = now
            self._standing[tp] = (lag.next, since)
            stands = now - max(since, self._counts_from)
            if stands > self._stuck_s:
                agent = self._flows[tp.topic].name
                return (
                    f"agent {agent} is stuck for {stands:.0f} s: nothing of {tp.topic} {tp.partition} is in work, and "
                    f"its offset stays {lag.next} of {lag.end}"
                )
        return ""


def _words(work: InWork) -> str:
    """A message in work, for a log."""
    place = f"{work.tp.topic} {work.tp.partition} offset {work.offset}"
    return f"{place} waits, because {work.why}" if work.waits_since else f"{place} is in work at {work.where}"


class GroupOffsets:
    """`Offsets` of a consumer group, over connections of its own that are kept from look to look."""

    def __init__(self, kafka: Kafka, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None

    async def behind(self, partitions: Collection[TP]) -> Mapping[TP, Lag]:
        """Those that lag. Raises `KafkaError`, OSError or TimeoutError; the connections are made anew then."""
        places = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        if not places:
            return {}
        try:
            admin, consumer = await self._connected()
            committed = await admin.list_consumer_group_offsets(self._group)
            ends = await consumer.end_offsets(places)
            starts = await consumer.beginning_offsets(places)
        except BaseException:
            await self.close()
            raise
        lags = {}
        for tp, place in zip(partitions, places, strict=True):
            done = committed[place].offset if place in committed else -1
            lags[tp] = Lag(max(done, starts[place]), ends[place])
        return {tp: lag for tp, lag in lags.items() if lag.next < lag.end}

    async def close(self) -> None:
        """Let the connections go, whatever state they are in."""
        clients, self._clients = self._clients, None
        if clients is None:
            return
        for closing in (clients[0].close(), clients[1].stop()):
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(closing, 1.0)

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._clients is None:
            admin = AIOKafkaAdminClient(**self._kafka.options)
            self._clients = admin, AIOKafkaConsumer(enable_auto_commit=False, **self._kafka.options)
            await admin.start()
            await self._clients[1].start()
        return self._clients
