"""The model worker: chunks in, results out, and a sign of life every few seconds. It keeps no state of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from streamapp.documents.claim import Blobs
from streamapp.errors import BrokerUnavailable, InvalidMessage
from streamapp.identity import Run
from streamapp.inference.devices import pick_device
from streamapp.inference.dropped import Dropped
from streamapp.inference.engine import Engine, Outcome
from streamapp.inference.hearing import Hearing
from streamapp.inference.lifeline import say_ready, say_why
from streamapp.inference.quarantine import Quarantine
from streamapp.kafka.access import Kafka
from streamapp.leaving import leave
from streamapp.models import Chunk, ChunkResult, Record, WorkerBeat
from streamapp.retry import Backoff
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry, item_type
from streamapp.topics import TopicNames, provision

__all__ = ["ModelWorker"]

logger = logging.getLogger(__name__)

BEAT_S = 2.0
BROKER_FIRST_S, BROKER_LONGEST_S = 0.2, 2.0

Send = Callable[[Record], Awaitable[None]]


class ModelWorker:
    """Every predictor of every task, on one device. `results` and `beats` return with the broker's ack."""

    def __init__(
        self, settings: Settings, registry: Registry, quarantine: Quarantine, results: Send, beats: Send
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._quarantine = quarantine
        self._results = results
        self._beats = beats
        self._blobs = Blobs(settings.blobs)
        self._dropped = Dropped()
        self._hearing = Hearing(Kafka.of(settings), TopicNames(settings.topic_prefix).cancels, self._drop)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.device = ""
        items = {
            predictor.name: item_type(step)
            for task in registry.values()
            for step in task.steps
            for predictor in step.predictors
        }
        self._engines: Mapping[str, Engine] = {
            name: Engine(kind(), items[name], self._blobs, self._leave, quarantine, self._dropped)
            for name, kind in registry.predictors.items()
        }
        self._chunks = 0
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load every model. Returns when this worker can take chunks."""
        self.device = await asyncio.to_thread(pick_device, self._settings.device, self._settings.torch_threads)
        for name, engine in self._engines.items():
            started = time.monotonic()
            try:
                await engine.load(self.device)
            except Exception as error:
                say_why(f"predictor {name} can't be loaded: {type(error).__name__}: {error}")
                raise
            logger.info("predictor %s loaded on %s in %.1f s", name, self.device, time.monotonic() - started)
        await self._topics()
        self._hearing.start()

    async def _topics(self) -> None:
        """Wait for the broker, with the models loaded: who ended would load them again and again until it is back."""
        backoff = Backoff(BROKER_FIRST_S, BROKER_LONGEST_S)
        while True:
            try:
                await provision(self._settings, self._registry.predictors)
                return
            except BrokerUnavailable as error:
                logger.warning("waiting for the broker. %s", error)
                await backoff.wait()

    async def started(self) -> None:
        """The producer runs: say every few seconds that this worker lives."""
        self._beating = asyncio.create_task(self._beat(), name="beats")
        say_ready()

    async def compute(self, chunk: Chunk) -> None:
        """Compute a chunk and publish its result; returns when the broker has it."""
        engine = self._engines[chunk.predictor]
        started = time.monotonic()
        outcomes = await engine.compute(chunk)
        self._chunks += 1
        seconds = time.monotonic() - started
        try:
            await self._results(self._result(chunk, seconds, outcomes))
        except InvalidMessage as error:  # without any result the job would wait for ever
            failed = [{"error": f"its result can't travel: {error}"} for _ in chunk.items]
            await self._results(self._result(chunk, seconds, failed))

    def _result(self, chunk: Chunk, seconds: float, outcomes: list[Outcome]) -> ChunkResult:
        return ChunkResult(
            tenant=chunk.tenant,
            job_id=chunk.job_id,
            run=chunk.run,
            step=chunk.step,
            chunk=chunk.chunk,
            predictor=chunk.predictor,
            version=self._engines[chunk.predictor].predictor.version,
            worker=self.id,
            seconds=seconds,
            outcomes=outcomes,
        )

    async def draining(self) -> None:
        """Say goodbye, so that nobody counts on this worker. What is in work now has not ended it."""
        self._quarantine.journal.close()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(Exception):
                await asyncio.wait_for(self._beats(self._state(leaving=True)), 2.0)

    async def stop(self) -> None:
        """Let the models go."""
        await self._hearing.stop()
        for engine in self._engines.values():
            await engine.close()

    def _drop(self, run: Run) -> None:
        """A run has ended: what waits of it is answered now, what comes of it later is answered when it comes."""
        self._dropped.add(run)
        for engine in self._engines.values():
            engine.drop_unwanted()

    def _leave(self, reason: str) -> None:
        """With what is in work still in the journal: it is what ends this process."""
        self._quarantine.journal.leaving(reason)
        leave(reason)

    async def _beat(self) -> None:
        while True:
            try:
                await self._beats(self._state(leaving=False))
            except Exception as error:
                logger.warning("a beat was not sent: %r", error)
            await asyncio.sleep(BEAT_S)

    def _state(self, *, leaving: bool) -> WorkerBeat:
        engines = self._engines.values()
        return WorkerBeat(
            worker=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=self.device,
            predictors=list(self._engines),
            items=sum(engine.items for engine in engines),
            chunks=self._chunks,
            seconds_busy=sum(engine.seconds_busy for engine in engines),
            leaving=leaving,
        )
