"""What the groups have read and committed of each topic, asked of Kafka itself, so that it holds for every worker.

One consumer (that reads nothing) and one admin client are kept for all who ask, since a new client costs several
connections and requests; after a failure they are made anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.errors import BrokerUnavailable
from streamapp.kafka.access import Kafka
from streamapp.settings import Settings
from streamapp.topics import TopicNames

__all__ = ["Line", "Offsets", "Progress", "Snapshot", "lines"]

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """An agent, and the topic that it reads in a group."""

    agent: str
    group: str
    topic: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition as its group sees it; `committed` is None before the first commit."""

    committed: int | None
    start: int
    end: int

    @property
    def done(self) -> int:
        """The first offset that is neither committed nor deleted."""
        return max(self.committed or 0, self.start)


#: By agent and partition. An agent whose topic Kafka does not know (now) is left out.
Snapshot = Mapping[str, Mapping[int, Progress]]


def lines(settings: Settings, predictors: Iterable[str]) -> list[Line]:
    """What is read in a deployment with these predictors, along the way of a job."""
    names = TopicNames(settings.topic_prefix)
    models = f"{settings.group}-inference"
    return [
        Line("inference", settings.group, names.inference),
        *(Line(f"chunks.{name}", models, names.chunks(name)) for name in sorted(predictors)),
        Line("results", settings.group, names.results),
        Line("email", settings.group, names.email),
        Line("notification", settings.group, names.notification),
        Line("webhook", settings.group, names.webhook),
        Line("beats", settings.group, names.beats),
        Line("dead-letter", settings.group, names.dead_letter),
    ]


class Offsets:
    """Asks for a snapshot of every line, one at a time."""

    def __init__(self, kafka: Kafka, lines: Iterable[Line]) -> None:
        self.lines = tuple(lines)
        self._kafka = kafka
        self._turn = asyncio.Lock()
        self._clients: tuple[AIOKafkaConsumer, AIOKafkaAdminClient] | None = None

    async def snapshot(self) -> Snapshot:
        """Every line's progress: first what is committed, then the ends, so what is read to its end was so then.

        Raises `BrokerUnavailable` when Kafka does not answer within `TIMEOUT_S` seconds.
        """
        try:
            async with self._turn, asyncio.timeout(TIMEOUT_S):
                try:
                    return await self._ask()
                except BaseException:
                    await self._drop()
                    raise
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(f"Kafka does not answer: {error!r}") from error

    async def close(self) -> None:
        """Let the clients go; for two seconds, since a stop waits for it."""
        with suppress(TimeoutError):  # of whoever still asks
            async with asyncio.timeout(CLOSE_S), self._turn:
                await self._drop()

    async def _ask(self) -> Snapshot:
        consumer, admin = await self._connected()
        groups = sorted({line.group for line in self.lines})
        committed = {group: await admin.list_consumer_group_offsets(group) for group in groups}
        await consumer._client.force_metadata_update()  # the public call answers from what is cached only
        numbers = {line.topic: consumer.partitions_for_topic(line.topic) or () for line in self.lines}
        parts = {name: [TopicPartition(name, number) for number in sorted(some)] for name, some in numbers.items()}
        every = [part for some in parts.values() for part in some]
        ends, starts = await consumer.end_offsets(every), await consumer.beginning_offsets(every)
        return {
            line.agent: {
                part.partition: Progress(_committed(committed[line.group], part), starts[part], ends[part])
                for part in parts[line.topic]
            }
            for line in self.lines
            if parts[line.topic]
        }

    async def _connected(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._clients is None:
            consumer = AIOKafkaConsumer(enable_auto_commit=False, **self._kafka.options)
            admin = AIOKafkaAdminClient(**self._kafka.options)
            self._clients = consumer, admin
            await consumer.start()
            await admin.start()
            consumer._client.set_topics({line.topic for line in self.lines})
        return self._clients

    async def _drop(self) -> None:
        clients, self._clients = self._clients, None
        if clients is not None:
            with suppress(KafkaError, OSError):
                await clients[0].stop()
            with suppress(KafkaError, OSError):
                await clients[1].close()


def _committed(offsets: Mapping[TopicPartition, object], part: TopicPartition) -> int | None:
    offset: int = getattr(offsets.get(part), "offset", -1)
    return offset if offset >= 0 else None
