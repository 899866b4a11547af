"""The relay and the sweep: what a crash left undone is found in the store and done.

It publishes again what is committed and not published, ends what is past its time, reduces a step whose last result
was stored just before a crash, and has `streamapp.jobs.lost` look for what no one will bring any more. One worker
sweeps at a time: the one that has the lease. It is short, so another goes on soon after a worker died; one that stops
in order gives it back. What each worker publishes of its own work needs no lease.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from streamapp.errors import StoreUnavailable, StreamappError
from streamapp.jobs.collect import Collector
from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher, key_of, run_of
from streamapp.store import jobs, leases, ledger, outbox
from streamapp.store.chunks import complete_steps
from streamapp.store.database import Database

__all__ = ["Sweeper"]

logger = logging.getLogger(__name__)

EVERY_S = 1.0
GRACE_S = 5.0  # a row younger than this is being published by the one who wrote it
LIMIT = 500
LEASE, LEASE_S = "sweep", 5.0
RENEW_S = 1.0  # a lease that was renewed this long ago is renewed before the next part of a round
LOOK_S = 5.0  # between two looks for what was lost


class Sweeper:
    """Runs until it is stopped."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        progress: Progress,
        collector: Collector,
        lost: LostAndFound,
        predictors: tuple[str, ...],
        job_timeout_s: float,
        tidy: Callable[[], Coroutine[Any, Any, None]] | None = None,
        room: int = 0,
    ) -> None:
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._database = database
        self._publisher = publisher
        self._progress = progress
        self._collector = collector
        self._lost = lost
        self._predictors = predictors
        self._job_timeout_s = job_timeout_s
        self._tidy = tidy
        self._room = room
        self._stop = asyncio.Event()
        self._reducing: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._renewed = self._looked = -math.inf

    async def run(self) -> None:
        """Sweep, wait, and again, until `stop`; then the next one may sweep at once."""
        while not self._stop.is_set():
            await self.sweep()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), EVERY_S)
        await _guarded("giving back the lease", self._database.write(leases.release, LEASE, self.owner))

    def stop(self) -> None:
        """End `run` after the part of the sweep that is in work."""
        self._stop.set()

    async def sweep(self, grace_s: float = GRACE_S) -> None:
        """One round, if this one has the lease. Never raises: what one part meets holds up none of the others."""
        parts: tuple[tuple[str, Callable[[], Coroutine[Any, Any, None]]], ...] = (
            ("relaying", lambda: self._relay(grace_s)),
            ("topping up", lambda: self._progress.top_up(self._predictors)),
            ("ending what is overdue", self._end_overdue),
            ("looking for complete steps", lambda: self._reduce(grace_s)),
            ("looking for what was lost", self._look),
            *((("tidying", self._tidy),) if self._tidy else ()),
        )
        for what, part in parts:
            if self._stop.is_set() or not await self._has_lease():
                return
            await _guarded(what, part())

    async def _has_lease(self) -> bool:
        """Renewed before each part whose predecessors took long: what takes longer than the lease, another goes on."""
        now = time.monotonic()
        if now - self._renewed < RENEW_S:
            return True
        try:
            held = await self._database.write(leases.hold, LEASE, self.owner, LEASE_S)
        except StoreUnavailable as error:
            logger.warning("the sweep waits, because %s", error)
            return False
        self._renewed = now if held else -math.inf
        return held

    async def _relay(self, grace_s: float) -> None:
        read, left = self._database.read, self._publisher.left
        jobs_left = await left(read(outbox.unpublished_jobs, grace_s, LIMIT, self._room), run_of)
        await self._publisher.jobs([run_of(row) for row in jobs_left])
        await self._publisher.chunks(await left(read(outbox.unpublished_chunks, grace_s, LIMIT), key_of))
        await self._publisher.deliveries(await left(read(ledger.due, grace_s, LIMIT), lambda due: due))

    async def _reduce(self, grace_s: float) -> None:
        """In tasks of their own, since a reduce may take minutes; the collector does none twice at a time."""
        if self._reducing:
            return
        for row in await self._database.read(complete_steps, grace_s, LIMIT):
            reduce = self._collector.reduce(run_of(row), row.step)
            task = asyncio.create_task(_guarded(f"reducing {row.id}", reduce), name=f"reduce {row.id}")
            self._reducing.add(task)
            task.add_done_callback(self._reducing.discard)

    async def _look(self) -> None:
        """In a task of its own: a broker that does not answer holds up nothing."""
        if self._looking is not None and not self._looking.done():
            return
        if time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            look = _guarded("looking for what was lost", self._lost.look())
            self._looking = asyncio.create_task(look, name="lost-and-found")

    async def _end_overdue(self) -> None:
        for row in await self._database.read(jobs.overdue, self._job_timeout_s, LIMIT):
            run = run_of(row)
            if row.late:
                await self._progress.expire(run)
            else:
                await self._progress.fail(run, f"it was not done after {self._job_timeout_s / 3600:.1f} hours")


async def _guarded(what: str, work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except StreamappError as error:
        logger.warning("%s waits, because %s", what, error)
    except Exception:
        logger.exception("%s raised", what)
