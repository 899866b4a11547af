"""Publishing from a Flask site: by librdkafka, in a thread of its own, behind the answer.

A request leaves the row of its job here and answers; the row is committed by then. The thread sends what has come, and
notes in the outbox where the broker put it, for many at a time. What can't be sent in time stays unpublished in the
store, and the relay of a running worker publishes it: so nothing here has to be kept, and nothing waits for the broker.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streamapp.identity import Run
from streamapp.jobs.publish import JOBS_IN_A_ROW, run_of
from streamapp.jobs.reservation import job_message
from streamapp.kafka.librdkafka import librdkafka_options
from streamapp.settings import Settings
from streamapp.store import outbox
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow
from streamapp.topics import TopicNames

__all__ = ["Producing"]

logger = logging.getLogger(__name__)

ACK_S = 8.0
RELAYED_S = 5.0  # the relay has published by then what was not (`streamapp.jobs.sweep`)
LARGEST = 500  # rows at a time
LONGEST = 10_000  # rows that wait; more are left to the relay
METADATA_S = 5.0
MiB = 1024 * 1024
# the broker acknowledges when all replicas have it, and keeps no message twice
OPTIONS: dict[str, str | int | bool] = {
    "client.id": "streamapp-flask",
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0,
    "message.timeout.ms": int(ACK_S * 1000),
    "message.max.bytes": 8 * MiB,
}


class _Left(NamedTuple):
    row: AnyRow
    at: float  # seconds, monotonic


class Producing:
    """For one process. Its thread and its producer begin with the first job."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._room = settings.tenant_running
        self._topic = TopicNames(settings.topic_prefix).inference
        self._reached = librdkafka_options(settings)
        self._turns = itertools.count(os.getpid())  # not every process begins with the same partition
        self._rows: SimpleQueue[_Left | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._partitions = 0
        self._pid = os.getpid()

    async def accepted(self, rows: Sequence[AnyRow]) -> None:
        """Publish jobs that were reserved just now; returns at once."""
        if self._rows.qsize() > LONGEST:
            return
        for row in rows:
            self._rows.put(_Left(row, time.monotonic()))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="streamapp-publish", daemon=True)
                self._thread.start()

    def close(self, within_s: float) -> None:
        """Publish what waits, for so many seconds at most; the rest is the relay's."""
        if self._thread is not None and self._pid == os.getpid():
            self._rows.put(None)
            self._thread.join(within_s)

    def _run(self) -> None:
        while group := self._group():
            now = time.monotonic()
            rows = [left.row for left in group if left is not None and now - left.at < RELAYED_S]
            try:
                self._publish(rows)
            except Exception:
                logger.exception("%d jobs are left to the relay", len(rows))
            if None in group:
                return

    def _group(self) -> list[_Left | None]:
        """What has come, once something has."""
        group = [self._rows.get()]
        while len(group) < LARGEST and group[-1] is not None:
            try:
                group.append(self._rows.get_nowait())
            except Empty:
                break
        return group

    def _publish(self, rows: Sequence[AnyRow]) -> None:
        if not rows:
            return
        places: dict[Run, outbox.Where] = {}
        waiting: set[Run] = set()
        try:
            producer = self._ready()
            for number, row in enumerate(rows):
                if number % JOBS_IN_A_ROW == 0:
                    partition = next(self._turns) % self._partitions
                run = run_of(row)
                noted = partial(self._told, run, waiting, places)
                producer.produce(self._topic, job_message(run, row).dumps(), partition=partition, on_delivery=noted)
                waiting.add(run)
            end = time.monotonic() + ACK_S + 1
            while waiting and time.monotonic() < end:
                producer.poll(0.1)
        except (KafkaException, BufferError) as error:
            self._failed(error)
        if places:
            self._database.note_sync(outbox.jobs_published, list(places), list(places.values()), self._room)
        if len(places) < len(rows):
            logger.warning("%d jobs are left to the relay", len(rows) - len(places))

    def _told(
        self, run: Run, waiting: set[Run], places: dict[Run, outbox.Where], error: KafkaError | None, message: Message
    ) -> None:
        """The broker has it, or will not have it."""
        waiting.discard(run)
        partition, offset = message.partition(), message.offset()
        if error is None and partition is not None and offset is not None:
            places[run] = (partition, offset)
        elif error is not None:
            self._failed(KafkaException(error))

    def _failed(self, error: Exception) -> None:
        """Begin anew: partitions may be others, and a producer that met a fatal error can do nothing more."""
        logger.warning("the broker did not take a job: %s", error)
        self._partitions = 0
        cause: Any = error.args[0] if error.args else None
        if isinstance(cause, KafkaError) and cause.fatal():
            self._producer = None

    def _ready(self) -> Producer:
        """The producer, which knows the topic. Raises KafkaException."""
        if self._producer is None:
            self._producer = Producer({**OPTIONS, **self._reached}, logger=logger)
        if not self._partitions:
            topics = self._producer.list_topics(timeout=METADATA_S).topics  # all: asking for one may create it
            if self._topic not in topics:
                raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {self._topic}"))
            self._partitions = len(topics[self._topic].partitions)
        return self._producer
