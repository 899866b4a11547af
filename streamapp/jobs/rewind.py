"""After an older backup of the store was restored: what the topics remember and the store does not, is entered again.

The topic of accepted jobs carries each as it was accepted, so the jobs since the backup come back. The topic of e-mails
says which of them were due since: they may have gone out, so they are parked until an operator settles them. Everything
else needs no help: messages that the groups have read already are missed by the sweep and published again. The order
does not matter, and doing it twice before the workers start changes nothing. See docs/operations.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.errors import ConfigurationError
from streamapp.jobs.reservation import Accepted, read_reservation
from streamapp.kafka.access import Kafka
from streamapp.kafka.greeting import explained
from streamapp.kafka.group import describe_group
from streamapp.models import Delivery, Job
from streamapp.settings import Settings
from streamapp.store import restore
from streamapp.store.database import Database
from streamapp.topics import TopicNames
from streamapp.wire import Undecodable, decode

__all__ = ["Rewound", "refuse_older_store", "rewind"]

logger = logging.getLogger(__name__)

MARGIN_S = 60.0  # clocks differ a little: what is read once more than needed changes nothing
BATCH = 200
EMPTY_WITHIN_S = 30  # a worker that was killed is a member of its group until its session has ended
LOOK_S = 10.0

Watcher = Callable[[int, int], None]


@dataclass(slots=True)
class Rewound:
    """What was done: jobs by what became of them, e-mails that were noted, and those that were parked."""

    jobs: Counter[str] = field(default_factory=Counter)
    emails: int = 0
    parked: int = 0


async def rewind(settings: Settings, database: Database, since: float, watch: Watcher = lambda a, b: None) -> Rewound:
    """Bring the store up to what the topics have from `since` (seconds since the epoch) on.

    `watch` hears how many messages of how many are read. Raises `ConfigurationError` while workers run and where the
    broker refuses us, and `BrokerUnavailable`.
    """
    names, done, kafka = TopicNames(settings.topic_prefix), Rewound(), Kafka.of(settings)
    start_ms = int(max(0.0, since - MARGIN_S) * 1000)
    try:
        await _no_worker_runs(kafka, settings.group)
        async with _reader(kafka, [names.inference, names.email]) as reader:
            spans = await _spans(reader, [names.inference, names.email], start_ms)
            read, total = 0, sum(end - start for start, end in spans.values())
            async for records in _read(reader, spans):
                await _take(database, [each for each in records if each.topic == names.inference], done)
                await _note(database, [each for each in records if each.topic == names.email], done)
                read += len(records)
                watch(read, total)
    except (KafkaError, OSError) as error:
        raise await explained(kafka, error) from error
    done.parked += await database.write(restore.park_under_way)
    return done


async def refuse_older_store(settings: Settings, database: Database) -> None:
    """Raise `ConfigurationError` when the topics know of jobs that the store does not: it was set back.

    A job is in the store before it is on a topic. So if the last message of a partition names one that the store has
    neither kept nor removed, it is not the store that was used last. No clock is asked, and no crash looks like that.
    """
    names = TopicNames(settings.topic_prefix)
    try:
        async with asyncio.timeout(LOOK_S), _reader(Kafka.of(settings), [names.inference]) as reader:
            last = await _last(reader, names.inference)
    except (KafkaError, TimeoutError, OSError) as error:
        logger.warning("whether the store is older than the topics can't be seen: %r", error)
        return
    for record in last:
        accepted = _accepted(record)
        if accepted is not None and not await database.read(restore.knows, accepted.new):
            newest = await database.read(restore.newest)
            since = datetime.fromtimestamp(newest or record.timestamp / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise ConfigurationError(
                f"The store is older than the topics: it does not know job {accepted.new.id}, which it had accepted. "
                f"If it was restored from a backup, run `streamapp rewind --since {since}` (or the time of the backup) "
                "first; to begin anew with an empty store, set another STREAMAPP_TOPIC_PREFIX."
            )


@asynccontextmanager
async def _reader(kafka: Kafka, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no group, with all partitions of these topics."""
    reader = AIOKafkaConsumer(enable_auto_commit=False, max_partition_fetch_bytes=2**21, **kafka.options)
    try:
        await reader.start()
        reader._client.set_topics(topics)
        await reader._client.force_metadata_update()  # the public call answers from what is cached only
        numbers = {topic: reader.partitions_for_topic(topic) or () for topic in topics}
        reader.assign([TopicPartition(topic, number) for topic, some in numbers.items() for number in some])
        yield reader
    finally:
        await reader.stop()


async def _spans(
    reader: AIOKafkaConsumer, topics: Sequence[str], start_ms: int
) -> dict[TopicPartition, tuple[int, int]]:
    """From which offset to which each partition is to be read."""
    places = sorted(reader.assignment())
    ends = await reader.end_offsets(places)
    starts = await reader.offsets_for_times(dict.fromkeys(places, start_ms))
    spans = {place: (starts[place].offset if starts[place] else ends[place], ends[place]) for place in places}
    return {place: span for place, span in spans.items() if span[0] < span[1]}


async def _read(
    reader: AIOKafkaConsumer, spans: dict[TopicPartition, tuple[int, int]]
) -> AsyncIterator[list[ConsumerRecord]]:
    left = dict(spans)
    for place, (start, _) in left.items():
        reader.seek(place, start)
    while left:
        found = await reader.getmany(*left, timeout_ms=1000, max_records=BATCH)
        records = [record for place, some in found.items() for record in some if record.offset < spans[place][1]]
        if records:
            yield records
        left = {place: span for place, span in left.items() if await reader.position(place) < span[1]}


async def _last(reader: AIOKafkaConsumer, topic: str) -> list[ConsumerRecord]:
    """The last record of each partition that has any."""
    places = [place for place in reader.assignment() if place.topic == topic]
    ends, starts = await reader.end_offsets(places), await reader.beginning_offsets(places)
    spans = {place: (ends[place] - 1, ends[place]) for place in places if starts[place] < ends[place]}
    return [record async for records in _read(reader, spans) for record in records]


async def _no_worker_runs(kafka: Kafka, group: str) -> None:
    """The jobs workers' group has no members, or loses them soon."""
    admin = AIOKafkaAdminClient(**kafka.options)
    try:
        await admin.start()
        for _ in range(EMPTY_WITHIN_S):
            if not (await describe_group(admin, group)).members:
                return
            await asyncio.sleep(1.0)
        raise ConfigurationError(
            f"Workers of the group {group} run: stop them all first, then rewind, then start them."
        )
    finally:
        await admin.close()


async def _take(database: Database, records: Sequence[ConsumerRecord], done: Rewound) -> None:
    """Enter what was accepted."""
    read = [accepted for record in records if (accepted := _accepted(record)) is not None]
    done.jobs["unreadable"] += len(records) - len(read)
    if read:
        done.jobs.update(
            await database.write(restore.enter_all, [(each.new, each.run, each.created_at) for each in read])
        )


async def _note(database: Database, records: Sequence[ConsumerRecord], done: Rewound) -> None:
    """Note which e-mails were due."""
    decoded = [decode(Delivery, record.value) for record in records]
    identities = sorted({each.delivery_id for each in decoded if isinstance(each, Delivery)})
    if identities:
        done.emails += len(identities)
        done.parked += await database.write(restore.speak_for, identities)


def _accepted(record: ConsumerRecord) -> Accepted | None:
    job = decode(Job, record.value)
    return None if isinstance(job, Undecodable) or not isinstance(job, Job) else read_reservation(job)
