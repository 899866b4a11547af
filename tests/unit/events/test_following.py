"""A reader of a tenant that is behind: by pages, behind the tail, and while more comes than was looked at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from streamapp.events import following, tail, watch
from streamapp.events.feedplace import FeedPlace
from streamapp.events.following import TenantFollowing
from streamapp.events.watch import TenantWatch, Watch
from streamapp.store import feed, jobs
from streamapp.store.database import Database
from streamapp.store.feed import Place
from tests.unit.store.rows import reserved


class Reader:
    """Somebody who follows anna's events."""

    def __init__(self, database: Database, watch: Watch, seen: TenantWatch, place: Place) -> None:
        self.watch = watch
        self._database = database
        self._following = TenantFollowing(database, "anna", seen, FeedPlace(place))

    def end(self, count: int) -> list[str]:
        """So many jobs end."""
        runs = [reserved(self._database) for _ in range(count)]
        for run in runs:
            assert self._database.write_sync(jobs.end, run, "cancelled")
        return [run.job for run in runs]

    async def told(self) -> list[str]:
        """Which ends are told now."""
        found: list[str] = []
        while events := await self._following.next():
            found += [json.loads(event.data)["job_id"] for event in events]
        return found


@pytest.fixture
def reader(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """One, where pages have three entries and a tail has two."""
    monkeypatch.setattr(watch, "PAGE", 3)
    monkeypatch.setattr(following, "PAGE", 3)
    monkeypatch.setattr(tail, "KEPT", 2)
    made = Watch(database)
    place = database.read_sync(feed.start, "anna")
    with made.tenant("anna", asyncio.Event()) as seen:
        yield Reader(database, made, seen, place)


async def test_what_was_missed_is_read_in_pages(reader: Reader) -> None:
    """More than two pages came before the reader did: I expect all of it once, in its order."""
    ended = reader.end(8)
    await reader.watch.look()
    assert await reader.told() == ended
    assert await reader.told() == []


async def test_who_is_slower_than_the_tail_misses_nothing(reader: Reader) -> None:
    """Looks go on while nobody reads, and the tail forgets: I expect all of it once, in its order."""
    await reader.watch.look()
    ended = reader.end(7)
    for _ in range(4):
        await reader.watch.look()
    assert await reader.told() == ended
    ended = reader.end(1)
    await reader.watch.look()
    assert await reader.told() == ended


async def test_what_comes_between_a_look_and_a_read_is_told_once(reader: Reader) -> None:
    """I expect a reader that is behind not to be told what was not looked at yet, and to be told it after the look."""
    before = reader.end(2)
    await reader.watch.look()
    after = reader.end(2)
    assert await reader.told() == before
    await reader.watch.look()
    assert await reader.told() == after
