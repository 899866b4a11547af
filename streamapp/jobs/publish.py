"""From the store to the topics: what a committed state says should be there, with the broker's ack.

A caller commits first and publishes then. When the broker does not answer in time the caller goes on all the same: the
rows still say that they are unpublished, and the relay in `streamapp.jobs.sweep` publishes them again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from faust.types import TopicT

from streamapp.errors import BrokerUnavailable
from streamapp.identity import Run
from streamapp.jobs.reservation import job_message
from streamapp.jobs.together import Together
from streamapp.models import Chunk, Delivery, Record
from streamapp.sending import Place, send_acked
from streamapp.store import outbox
from streamapp.store.chunks import ChunkKey
from streamapp.store.database import Database
from streamapp.store.ledger import Due
from streamapp.store.reservations import with_reservations
from streamapp.store.sql import AnyRow
from streamapp.topics import TopicNames

__all__ = ["JOBS_IN_A_ROW", "KINDS", "Publisher", "key_of", "run_of"]

logger = logging.getLogger(__name__)

KINDS = ("email", "notification", "webhook")  # of deliveries, and so the topics' names
JOBS_IN_A_ROW = 8  # to one partition, when many come at once; a few are planned at a time anyway

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


def run_of(row: AnyRow) -> Run:
    """The run of a job's row."""
    return Run(row.tenant, row.id, row.run)


def key_of(row: AnyRow) -> ChunkKey:
    """The key of a chunk's row."""
    return ChunkKey(Run(row.tenant, row.job, row.run), row.step, row.predictor, row.chunk)


class Mails(Protocol):
    """What sends e-mails here, and need not wait for their messages to come back."""

    def expect(self, due: Sequence[Due]) -> None:
        """Their messages are about to be sent."""

    def begin(self, due: Sequence[Due]) -> None:
        """The broker has their messages."""


class Publisher:
    """Sends Records and notes in the outbox that the broker has them, and where. `partitions` is by topic name.

    What one call is publishing, another leaves to it: when the broker is slow, the relay comes by before it is done.
    `mails` hears of the e-mails before their messages are sent, and again when the broker has them.
    """

    def __init__(
        self,
        database: Database,
        topics: Mapping[str, TopicT],
        names: TopicNames,
        room: int = 0,
        mails: Mails | None = None,
    ) -> None:
        self._database = database
        self._topics = topics
        self._names = names
        self._room = room
        self.partitions: Mapping[str, int] = {}
        self._in_work: set[Hashable] = set()
        self._readings: dict[int, set[Hashable]] = {}  # what was in work at any time since each began
        self._mails = mails
        self._due = Together(self._deliveries)

    async def accepted(self, rows: Sequence[AnyRow], partitions: Sequence[int] | None = None) -> None:
        """Publish jobs that were reserved just now, to these partitions or to all in turn."""
        known = {run_of(row): row for row in rows}
        await self.jobs(list(known), known, partitions)

    async def jobs(
        self,
        runs: Sequence[Run],
        known: Mapping[Run, AnyRow] | None = None,
        partitions: Sequence[int] | None = None,
    ) -> None:
        """Publish jobs to be planned. Their rows are read unless they are `known`."""
        with self._taking(runs) as mine:
            rows: Mapping[Run, AnyRow] = known or {}
            if mine and known is None:
                rows = await self._database.read(with_reservations, mine)
            records = [job_message(run, rows.get(run)) for run in mine]
            if places := await self._send(self._names.inference, records, partitions, JOBS_IN_A_ROW):
                await self._database.note(outbox.jobs_published, mine, places, self._room)

    async def chunks(self, rows: Sequence[AnyRow]) -> None:
        """Publish chunks that have a credit."""
        by_key = {key_of(row): row for row in rows}
        with self._taking(list(by_key)) as taken:
            for predictor, group in itertools.groupby(taken, key=lambda key: key.predictor):
                mine = list(group)
                if places := await self._send(self._names.chunks(predictor), [_chunk(by_key[key]) for key in mine]):
                    await self._database.note(outbox.chunks_published, mine, places)

    async def deliveries(self, due: Sequence[Due]) -> None:
        """Publish deliveries, together with those that come meanwhile."""
        if due:
            await self._due.add(due)

    async def _deliveries(self, due: Sequence[Due]) -> None:
        with self._taking(due) as taken:
            topics = {kind: getattr(self._names, kind) for kind in KINDS}
            parts = {topic: [each for each in taken if each.kind == kind] for kind, topic in topics.items()}
            sending = (self._announce(topic, mine) for topic, mine in parts.items())
            sent: list[Due] = []
            there: list[Place] = []
            for mine, places in zip(parts.values(), await asyncio.gather(*sending), strict=True):
                if places:
                    sent += mine
                    there += places
            if sent:
                await self._database.note(outbox.deliveries_published, sent, there)

    async def _announce(self, topic: str, due: Sequence[Due]) -> list[Place]:
        mails = self._mails if topic == self._names.email else None
        if mails:
            mails.expect(due)
        places = await self._send(topic, [Delivery(each.id) for each in due])
        if mails and places:
            mails.begin(due)
        return places

    async def left(self, read: Awaitable[Sequence[Row]], key: Callable[[Row], Hashable]) -> list[Row]:
        """Rows of the outbox, without those that were being published while they were read.

        Their note may stand by the time the rows are here, and those would still say that they are unpublished.
        """
        busy = set(self._in_work)
        self._readings[id(busy)] = busy
        try:
            rows = await read
        finally:
            del self._readings[id(busy)]
        return [row for row in rows if key(row) not in busy]

    @contextmanager
    def _taking(self, keys: Sequence[Key]) -> Iterator[list[Key]]:
        """Those of these that no other call is publishing; none else does until the end of this."""
        mine = [key for key in keys if key not in self._in_work]
        for busy in (self._in_work, *self._readings.values()):
            busy.update(mine)
        try:
            yield mine
        finally:
            self._in_work.difference_update(mine)

    async def _send(
        self, name: str, records: Sequence[Record], partitions: Sequence[int] | None = None, in_a_row: int = 1
    ) -> list[Place]:
        """Send to one topic. Nothing when the broker did not take them in time, which leaves them to the relay."""
        if not records:
            return []
        try:
            every = partitions or range(self.partitions.get(name, 1))
            return await send_acked(self._topics[name], records, every, in_a_row)
        except BrokerUnavailable as error:
            logger.warning("left to the relay: %s", error)
            return []


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
