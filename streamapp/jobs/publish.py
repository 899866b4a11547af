"""From the store to the topics: what a committed state says should be there, with the broker's ack.

A caller commits first and publishes then. When the broker does not answer in time the caller goes on all the same: the
rows still say that they are unpublished, and the relay in `streamapp.jobs.sweep` publishes them again.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping, Sequence

from faust.types import TopicT

from streamapp.errors import BrokerUnavailable
from streamapp.identity import Run
from streamapp.models import Chunk, Delivery, Job, Record
from streamapp.sending import send_acked
from streamapp.store import outbox
from streamapp.store.chunks import ChunkKey
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.sql import AnyRow
from streamapp.topics import TopicNames

__all__ = ["Publisher", "key_of"]

logger = logging.getLogger(__name__)


def key_of(row: AnyRow) -> ChunkKey:
    """The key of a chunk's row."""
    return ChunkKey(Run(row.tenant, row.job, row.run), row.step, row.predictor, row.chunk)


class Publisher:
    """Sends Records and notes in the outbox that the broker has them. `partitions` is by topic name."""

    def __init__(self, database: Database, topics: Mapping[str, TopicT], names: TopicNames) -> None:
        self._database = database
        self._topics = topics
        self._names = names
        self.partitions: Mapping[str, int] = {}

    async def jobs(self, runs: Sequence[Run]) -> None:
        """Publish jobs to be planned."""
        if runs and await self._send(self._names.inference, [Job(run.tenant, run.job, run.run) for run in runs]):
            await self._database.write(outbox.jobs_published, runs)

    async def chunks(self, rows: Sequence[AnyRow]) -> None:
        """Publish chunks that have a credit."""
        for predictor, group in itertools.groupby(rows, key=lambda row: row.predictor):
            mine = list(group)
            if await self._send(self._names.chunks(predictor), [_chunk(row) for row in mine]):
                await self._database.write(outbox.chunks_published, [key_of(row) for row in mine])

    async def deliveries(self, due: Sequence[Due]) -> None:
        """Publish deliveries."""
        for kind in ("email", "notification"):
            mine = [each for each in due if each.kind == kind]
            topic = self._names.email if kind == "email" else self._names.notification
            if mine and await self._send(topic, [Delivery(each.id) for each in mine]):
                await self._database.write(outbox.deliveries_published, mine)

    async def _send(self, name: str, records: Sequence[Record]) -> bool:
        """Send to one topic. False when the broker did not take them in time, which leaves them to the relay."""
        try:
            await send_acked(self._topics[name], records, self.partitions.get(name, 1))
        except BrokerUnavailable as error:
            logger.warning("left to the relay: %s", error)
            return False
        return True


def _chunk(row: AnyRow) -> Chunk:
    return Chunk(
        tenant=row.tenant,
        job_id=row.job,
        run=row.run,
        step=row.step,
        chunk=row.chunk,
        predictor=row.predictor,
        document=row.document,
        media_type=row.media_type,
        size=row.document_size,
        items=json.loads(row.payload),
        deadline=row.deadline,
    )
