"""One look at the store every half second for all who follow something in this worker, and none when nobody does.

It is the store that is asked, since another worker may have done what a reader here waits for. What was seen is kept as
it is now, not as a queue: a slow reader finds the newest when it comes, and costs no memory meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from streamapp.errors import StoreUnavailable
from streamapp.events.feedplace import told
from streamapp.events.jobplace import Partial
from streamapp.events.tail import Tail
from streamapp.jobs.together import Together
from streamapp.store import feed
from streamapp.store.database import Database
from streamapp.store.feed import Followed, Key, Place, Seen
from streamapp.store.sql import AnyRow

__all__ = ["JobWatch", "TenantWatch", "Watch"]

logger = logging.getLogger(__name__)

EVERY_S = 0.5
PAGE = 200

Wakes = set[asyncio.Event]


@dataclass(slots=True, eq=False)
class JobWatch:
    """A job that somebody follows: how it is now (None: there is none any more), and its newest partial report."""

    wakes: Wakes = field(default_factory=set)
    job: Followed | None = None
    partial: Partial | None = None


@dataclass(slots=True, eq=False)
class TenantWatch:
    """A tenant that somebody follows: the end of its feed (None before the first look), and its running jobs."""

    wakes: Wakes = field(default_factory=set)
    tail: Tail | None = None
    running: Sequence[AnyRow] = ()


class Watch:
    """What is followed in this worker. `run` looks again and again, until cancelled."""

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self.jobs: dict[Key, JobWatch] = {}
        self.tenants: dict[str, TenantWatch] = {}
        self._database = database
        self._every_s = every_s
        self._looks = Together(self._look)
        self._wanted = asyncio.Event()

    @contextmanager
    def job(self, key: Key, wake: asyncio.Event) -> Iterator[JobWatch]:
        """Follow a job: `wake` is set when it has changed."""
        watch = self.jobs.setdefault(key, JobWatch())
        try:
            with self._woken(watch.wakes, wake):
                yield watch
        finally:
            if not watch.wakes:
                self.jobs.pop(key, None)

    @contextmanager
    def tenant(self, tenant: str, wake: asyncio.Event) -> Iterator[TenantWatch]:
        """Follow a tenant: `wake` is set when something of it has changed."""
        watch = self.tenants.setdefault(tenant, TenantWatch())
        try:
            with self._woken(watch.wakes, wake):
                yield watch
        finally:
            if not watch.wakes:
                self.tenants.pop(tenant, None)

    async def look(self) -> None:
        """Returns after a look that began after this call. Raises `StoreUnavailable`.

        Looks are one after the other, so that what is seen never goes back.
        """
        await self._looks.add()

    async def run(self) -> None:
        """Look as long as somebody follows something, until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self.look()
            except StoreUnavailable as error:
                logger.warning("those who follow events wait, because %s", error)
            except Exception:
                logger.exception("a look for those who follow events raised")  # the next one may not
            await asyncio.sleep(self._every_s)

    @contextmanager
    def _woken(self, wakes: Wakes, wake: asyncio.Event) -> Iterator[None]:
        wakes.add(wake)
        self._wanted.set()
        try:
            yield
        finally:
            wakes.discard(wake)

    async def _look(self, _: Sequence[None]) -> None:
        if not self.jobs and not self.tenants:
            self._wanted.clear()
            return
        jobs, tenants = dict(self.jobs), dict(self.tenants)  # others may take their places meanwhile
        heads = {tenant: watch.tail.head if watch.tail else None for tenant, watch in tenants.items()}
        now = await self._database.read(_now, list(jobs), heads)
        for key, watched in jobs.items():
            if now.jobs.get(key) != watched.job:
                watched.job = now.jobs.get(key)
                _wake(watched.wakes)
        for tenant, watching in tenants.items():
            if _take(watching, now, tenant):
                _wake(watching.wakes)


class _Now(NamedTuple):
    jobs: dict[Key, Followed]
    running: dict[str, list[AnyRow]]
    starts: dict[str, Place]
    entries: dict[str, list[Seen]]


def _now(connection: Connection, keys: Sequence[Key], heads: Mapping[str, Place | None]) -> _Now:
    """All of it. How far jobs are is read before the feed, so that nothing moves after it was told to have ended."""
    running: dict[str, list[AnyRow]] = {}
    for row in feed.running(connection, heads) if heads else ():
        running.setdefault(row.tenant, []).append(row)
    starts = {tenant: feed.start(connection, tenant) for tenant, head in heads.items() if head is None}
    largest = feed.heads(connection, [tenant for tenant, head in heads.items() if head is not None])
    entries = {}
    for tenant, number in largest.items():
        head = heads[tenant]
        if head is not None and number >= head.feed and Place(number) > head:
            entries[tenant] = feed.after(connection, tenant, head, PAGE)
    return _Now(feed.look(connection, keys), running, starts, entries)


def _take(watch: TenantWatch, now: _Now, tenant: str) -> bool:
    """Note what was seen of a tenant. True when it is new."""
    changed = False
    if watch.tail is None:
        watch.tail = Tail(now.starts[tenant])
        changed = True
    if seen := now.entries.get(tenant):
        known = [event for event in map(told, seen) if event is not None]
        watch.tail.extend(known, seen[-1].place)
        changed = True
    running = now.running.get(tenant, [])
    changed = changed or running != watch.running
    watch.running = running
    return changed


def _wake(wakes: Wakes) -> None:
    for wake in wakes:
        wake.set()
