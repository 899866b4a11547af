"""Hearing of cancels: every model worker reads that topic whole, so it is a consumer without a group.

Faust's agents share the partitions of a topic among the workers of a group; each of them would hear of some cancels
only. It begins with what comes next and not with what is there: nothing of an ended run is given to workers any more,
and after a store was restored from a backup, what was cancelled since then runs again.

Nothing depends on it. A cancel that does not come leaves a few chunks to be computed in vain, so whatever happens here
is said in the log, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.cancelling import cancelled
from streamapp.identity import Run
from streamapp.kafka.access import Kafka
from streamapp.models import Cancel
from streamapp.retry import delay_s
from streamapp.wire import decode

__all__ = ["Hearing"]

logger = logging.getLogger(__name__)

LONG_POLL_MS = 5000  # the broker answers as soon as there is something; until then it is left in peace
FIRST_S, LONGEST_S = 0.5, 30.0


class Hearing:
    """Calls `heard` for each run that a cancel names, from `start` to `stop`."""

    def __init__(self, kafka: Kafka, topic: str, heard: Callable[[Run], None]) -> None:
        self._kafka = kafka
        self._part = TopicPartition(topic, 0)
        self._heard = heard
        self._task: asyncio.Task[None] | None = None
        self._failed = 0
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run(), name="cancels")

    async def stop(self) -> None:
        """End, and let the connection go."""
        if self._task is not None:
            await cancelled([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (KafkaError, OSError) as error:
                logger.warning("cancels are not heard of now: %r", error)
            except Exception:
                logger.exception("hearing of cancels raised")
            self.listening.clear()
            self._failed += 1
            await asyncio.sleep(delay_s(self._failed, first_s=FIRST_S, longest_s=LONGEST_S))

    async def _listen(self) -> None:
        consumer = AIOKafkaConsumer(
            auto_offset_reset="latest",
            enable_auto_commit=False,
            fetch_max_wait_ms=LONG_POLL_MS,
            **self._kafka.options,
        )
        try:
            await consumer.start()
            consumer.assign([self._part])
            await consumer.position(self._part)  # settled now: what is cancelled from here on is heard
            self.listening.set()
            self._failed = 0
            async for message in consumer:
                self._take(message.value)
        finally:
            await consumer.stop()

    def _take(self, payload: bytes | None) -> None:
        cancel = decode(Cancel, payload)
        if isinstance(cancel, Cancel):
            self._heard(Run(cancel.tenant, cancel.job_id, cancel.run))
        else:
            logger.warning("a message on %s is no cancel and is passed over: %s", self._part.topic, cancel.reason)
