"""The model worker: chunks in, results out, and a sign of life every few seconds. It keeps no state of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from streamapp.documents.claim import Blobs
from streamapp.errors import InvalidMessage
from streamapp.inference.devices import pick_device
from streamapp.inference.engine import Engine, Outcome
from streamapp.models import Chunk, ChunkResult, Record, WorkerBeat
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry, item_type
from streamapp.topics import provision

__all__ = ["LEASH", "ModelWorker", "hold_leash"]

logger = logging.getLogger(__name__)

BEAT_S = 2.0
HUNG = 70  # EX_SOFTWARE
LEASH = "STREAMAPP_LEASH"

Send = Callable[[Record], Awaitable[None]]


class ModelWorker:
    """Every predictor of every task, on one device. `results` and `beats` return with the broker's ack."""

    def __init__(self, settings: Settings, registry: Registry, results: Send, beats: Send) -> None:
        self._settings = settings
        self._registry = registry
        self._results = results
        self._beats = beats
        self._blobs = Blobs(settings.blobs)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.device = ""
        items = {
            predictor.name: item_type(step)
            for task in registry.values()
            for step in task.steps
            for predictor in step.predictors
        }
        self._engines: Mapping[str, Engine] = {
            name: Engine(kind(), items[name], self._blobs, leave_hung) for name, kind in registry.predictors.items()
        }
        self._chunks = 0
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load every model. Returns when this worker can take chunks."""
        await provision(self._settings, self._registry.predictors)
        self.device = await asyncio.to_thread(pick_device, self._settings.device, self._settings.torch_threads)
        for name, engine in self._engines.items():
            started = time.monotonic()
            await engine.load(self.device)
            logger.info("predictor %s loaded on %s in %.1f s", name, self.device, time.monotonic() - started)

    async def started(self) -> None:
        """The producer runs: say every few seconds that this worker lives."""
        self._beating = asyncio.create_task(self._beat(), name="beats")

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
        """Say goodbye, so that nobody counts on this worker."""
        if self._beating is not None:
            self._beating.cancel()
            with suppress(Exception):
                await asyncio.wait_for(self._beats(self._state(leaving=True)), 2.0)

    async def stop(self) -> None:
        """Let the models go."""
        for engine in self._engines.values():
            await engine.close()

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


def leave_hung(reason: str) -> None:
    """Leave the process: a thread that hangs in native code can't be ended, and its chunks must go to another."""
    logger.critical("leaving, because %s", reason)
    sys.stderr.flush()
    os._exit(HUNG)


def hold_leash() -> None:
    """Leave when the supervisor is gone: it holds the other end of standard input, also when it is killed."""
    if os.environ.get(LEASH) != "stdin":
        return

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 1024):
                continue
        os._exit(0)

    threading.Thread(target=wait, name="leash", daemon=True).start()
