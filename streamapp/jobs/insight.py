"""What runs and how far behind it is, asked of Kafka itself, so that it holds for every worker of both groups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping

from streamapp.errors import BrokerUnavailable, StoreUnavailable
from streamapp.jobs.offsets import Line, Offsets, Progress
from streamapp.operator_resources import AgentResource, Overview, PartitionResource, WorkerResource
from streamapp.store.database import Database
from streamapp.store.present import present_workers

__all__ = ["Insight"]

logger = logging.getLogger(__name__)

SAMPLE_S = 10.0
SAMPLES = 7  # a minute


class Insight:
    """Reads the groups' offsets every few seconds, and whenever it is asked."""

    def __init__(self, offsets: Offsets, database: Database) -> None:
        self._offsets = offsets
        self._database = database
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
            now = await self._offsets.snapshot()
        except BrokerUnavailable as error:
            return Overview(agents=[], workers=workers, problem=str(error))
        agents = self._with_rates([_agent(line, now.get(line.agent, {})) for line in self._offsets.lines])
        return Overview(agents=agents, workers=workers)

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


def _agent(line: Line, progress: Mapping[int, Progress]) -> AgentResource:
    partitions = [
        PartitionResource(partition=number, committed=part.committed, end=part.end, lag=part.end - part.done)
        for number, part in progress.items()
    ]
    return AgentResource(
        name=line.agent,
        group=line.group,
        topic=line.topic,
        partitions=partitions,
        lag=sum(partition.lag for partition in partitions),
        rate=None,
    )
