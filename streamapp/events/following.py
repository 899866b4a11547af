"""What a reader of a stream is told next: of one job, or of a whole tenant. The stream itself is `intake.streams`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from streamapp.events.feedplace import FeedPlace, Told, moved, told
from streamapp.events.frames import Event
from streamapp.events.jobplace import JobPlace, is_over, news
from streamapp.events.watch import PAGE, JobWatch, TenantWatch
from streamapp.store import feed
from streamapp.store.database import Database
from streamapp.store.feed import Place

__all__ = ["Following", "JobFollowing", "TenantFollowing"]


class Following(Protocol):
    """A reader's place, and the events from there."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""

    async def next(self) -> Sequence[Event]:
        """What is to be told now, and the place goes on behind it; nothing when the reader is up to date."""


class JobFollowing:
    """One job: at most a handful of events at a time, whatever has happened."""

    def __init__(self, watch: JobWatch, place: JobPlace) -> None:
        self._watch = watch
        self.place = place

    @property
    def over(self) -> bool:
        """Whether nothing more will come of the job."""
        return self._watch.job is None or is_over(self._watch.job)

    async def next(self) -> Sequence[Event]:
        """What is new of the job."""
        told = [] if self._watch.job is None else list(news(self.place, self._watch.job, self._watch.partial))
        if told:
            self.place = told[-1][0]
        return [event for _, event in told]


class TenantFollowing:
    """A tenant's feed, or those of its events that have one of the `names`; a page of it at a time."""

    over = False

    def __init__(
        self, database: Database, tenant: str, watch: TenantWatch, place: FeedPlace, names: Collection[str] = ()
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._watch = watch
        self._names = names
        self.place = place

    async def next(self) -> Sequence[Event]:
        """How far running jobs are, where that is wanted, and then the feed."""
        events: list[Event] = []
        if self._wants("progress"):
            for place, event in moved(self.place, self._watch.running):
                self.place = place
                events.append(event)
        more = not events
        while more and not events:
            entries, end, more = await self._entries()
            events += self._told(entries)
            self.place = replace(self.place, place=end)
        return events

    def _told(self, entries: Sequence[Told]) -> list[Event]:
        wanted = [entry for entry in entries if self._wants(entry.name)]
        return [Event(each.name, each.data, str(replace(self.place, place=each.place))) for each in wanted]

    async def _entries(self) -> tuple[Sequence[Told], Place, bool]:
        """The next entries, the place behind them, and whether the store has more that may be read at once.

        Never beyond what the watch has seen: its running jobs are as old, and nothing moves after it has ended.
        """
        assert self._watch.tail is not None
        here, head = self.place.place, self._watch.tail.head
        known = self._watch.tail.after(here)
        if known is not None:
            return known, max(here, head), False
        page = await self._database.read(feed.after, self._tenant, here, PAGE)
        seen = [entry for entry in page if entry.place <= head]
        entries = [event for event in map(told, seen) if event is not None]
        full = len(seen) == PAGE
        return entries, seen[-1].place if full else max(here, head), full

    def _wants(self, name: str) -> bool:
        return not self._names or name in self._names
