"""What runs and how far behind it is, asked of Kafka itself, so that it holds for every worker of both groups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.errors import StoreUnavailable
from streamapp.resources import AgentResource, Overview, PartitionResource, WorkerResource
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.present import present_workers
from streamapp.topics import TopicNames

__all__ = ["Insight"]

logger = logging.getLogger(__name__)

SAMPLE_S = 10.0
SAMPLES = 7  # a minute
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Reads:
    """An agent and the topic it reads in a group."""

    agent: str
    group: str
    topic: str


class Insight:
    """Reads the groups' offsets every few seconds, and whenever it is asked."""

    def __init__(self, settings: Settings, predictors: Iterable[str], database: Database) -> None:
        names = TopicNames(settings.topic_prefix)
        models = f"{settings.group}-inference"
        self._settings = settings
        self._database = database
        self._reads = [
            _Reads("inference", settings.group, names.inference),
            *(_Reads(f"chunks.{name}", models, names.chunks(name)) for name in sorted(predictors)),
            _Reads("results", settings.group, names.results),
            _Reads("email", settings.group, names.email),
            _Reads("notification", settings.group, names.notification),
            _Reads("beats", settings.group, names.beats),
            _Reads("dead-letter", settings.group, names.dead_letter),
        ]
        self._samples: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=SAMPLES)

    async def run(self) -> None:
        """Take a sample every few seconds, for the rates; until cancelled."""
        while True:
            try:
                await self.overview()
            except StoreUnavailable as error:
                logger.warning("no sample of the lag, because %s", error)
            await asyncio.sleep(SAMPLE_S)

    async def workers(self) -> list[WorkerResource]:
        """The model workers that live."""
        return await self._database.read(present_workers)

    async def overview(self) -> Overview:
        """The agents with their partitions and lag, and the model workers."""
        workers = await self.workers()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                agents = await self._agents()
        except (KafkaError, TimeoutError, OSError) as error:
            return Overview(agents=[], workers=workers, problem=f"Kafka does not answer: {error!r}")
        return Overview(agents=agents, workers=workers)

    async def _agents(self) -> list[AgentResource]:
        offsets = AIOKafkaConsumer(bootstrap_servers=self._settings.broker, enable_auto_commit=False)
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.broker)
        try:
            await offsets.start()
            await admin.start()
            committed = {
                group: await admin.list_consumer_group_offsets(group)
                for group in sorted({reads.group for reads in self._reads})
            }
            agents = [await self._agent(reads, offsets, committed[reads.group]) for reads in self._reads]
        finally:
            await offsets.stop()
            await admin.close()
        return self._with_rates(agents)

    async def _agent(
        self, reads: _Reads, offsets: AIOKafkaConsumer, committed: Mapping[TopicPartition, object]
    ) -> AgentResource:
        numbers = sorted(await _partitions(offsets, reads.topic))
        ends = await offsets.end_offsets([TopicPartition(reads.topic, number) for number in numbers])
        starts = await offsets.beginning_offsets([TopicPartition(reads.topic, number) for number in numbers])
        partitions = []
        for number in numbers:
            place = TopicPartition(reads.topic, number)
            done = getattr(committed.get(place), "offset", -1)
            lag = ends[place] - max(done, starts[place])
            partitions.append(
                PartitionResource(partition=number, committed=done if done >= 0 else None, end=ends[place], lag=lag)
            )
        return AgentResource(
            name=reads.agent,
            group=reads.group,
            topic=reads.topic,
            partitions=partitions,
            lag=sum(partition.lag for partition in partitions),
            rate=None,
        )

    def _with_rates(self, agents: list[AgentResource]) -> list[AgentResource]:
        now = time.monotonic()
        totals = {agent.name: sum(part.committed or 0 for part in agent.partitions) for agent in agents}
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_S / 2:
            self._samples.append((now, totals))
        then, before = self._samples[0]
        if now - then >= 1.0:
            for agent in agents:
                agent.rate = max(0.0, (totals[agent.name] - before.get(agent.name, 0)) / (now - then))
        return agents


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)  # the public call answers from what is cached only
    return set(consumer.partitions_for_topic(topic) or ())
