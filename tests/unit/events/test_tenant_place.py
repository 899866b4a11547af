"""Whatever the interleaving, a reader of a tenant is told each end, delivery and line once, from whichever worker."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event

from streamapp.events import following, tail, watch
from streamapp.events.feedplace import CARRIED, FeedPlace
from streamapp.events.following import TenantFollowing
from streamapp.events.watch import Watch
from streamapp.identity import Run
from streamapp.store import inbox, jobs, ledger
from streamapp.store.database import Database
from streamapp.store.schema import inbox as lines
from tests.unit.conftest import _without_fsync
from tests.unit.store.rows import fly, land, running

WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # each example has a store: it would take minutes
PAGE = 3
TENANT = "anna"
DO = st.sampled_from(["begin", "land", "end", "end", "cancel", "mail", "mail", "line", "line", "forget"])
READ = st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 4))


class World:
    """A store with two workers on it, and one reader of the tenant's events."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.workers = [Watch(database), Watch(database)]
        self.going: list[Run] = []
        self.ended: list[str] = []
        self.due: list[tuple[str, str]] = []
        self.sent: list[str] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.last: str | None = None

    def do(self, action: str, which: int) -> None:
        """Something happens to one of the jobs."""
        run = self.going[which % len(self.going)] if self.going else None
        if action == "begin" and len(self.going) < CARRIED:
            self.going.append(running(self.database, chunks=3, tenant=TENANT))
        elif action == "land" and run:
            land(self.database, fly(self.database, 1))
        elif action in ("end", "cancel") and run:
            self.going.remove(run)
            self.ended.append(run.job)
            self.due += self.database.write_sync(_end, run, action)
        elif action in ("mail", "line"):
            self.deliver("email" if action == "mail" else "notification", which)
        elif action == "forget" and self.sent:
            self.database.write_sync(_forget_line, self.sent[-1])

    def deliver(self, kind: str, which: int) -> None:
        """A delivery is tried: a mail may fail first."""
        mine = [each for each in self.due if each[0] == kind]
        if not mine:
            return
        chosen = mine[which % len(mine)]
        if self.database.write_sync(_deliver, *chosen, which % 2 == 0):
            self.due.remove(chosen)
            self.sent.append(chosen[1])

    async def read(self, worker: int, whole: bool, most: int) -> None:
        """Come to a worker, go on from the last id, read some events, and go away."""
        wake = asyncio.Event()
        with self.workers[worker].tenant(TENANT, wake) as seen:
            await self.workers[worker].look()
            assert seen.tail is not None
            place = FeedPlace.parse(self.last) if self.last else FeedPlace(seen.tail.head)
            self.last = self.last or str(place)
            reader = TenantFollowing(self.database, TENANT, seen, place)
            for _ in range(100):
                events = await reader.next()
                for each in events[: None if whole else most]:
                    self.told.append((each.name, json.loads(each.data)))
                    self.last = each.id
                if not whole or not events:
                    return
            raise AssertionError("there is no end to what is told")


def _end(connection: Connection, run: Run, how: str) -> list[tuple[str, str]]:
    assert jobs.end(connection, run, "succeeded" if how == "end" else "cancelled")
    if how == "cancel":
        return []
    made = [ledger.enter(connection, run, "succeeded", kind, "r@localhost") for kind in ("email", "notification")]
    return [(due.kind, due.id) for due in made]


def _deliver(connection: Connection, kind: str, identity: str, fails: bool) -> bool:
    row = ledger.get(connection, identity)
    assert row is not None
    if kind == "notification":
        inbox.deliver(connection, row, "A title", "A body")
        return True
    assert ledger.claim(connection, identity, "token", 60, "resend") is not None
    if fails and row.attempts == 0:
        assert ledger.later(connection, identity, "token", "no", -1)
        return False
    return ledger.sent(connection, identity, "token")


def _forget_line(connection: Connection, identity: str) -> None:
    connection.execute(delete(lines).where(lines.c.delivery == identity))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and tails so small that a reader is often behind."""
    monkeypatch.setattr(watch, "PAGE", PAGE)
    monkeypatch.setattr(following, "PAGE", PAGE)
    monkeypatch.setattr(tail, "KEPT", 2)


@settings(
    max_examples=25,
    deadline=None,
    phases=WITHOUT_SHRINKING,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(turns=st.lists(st.tuples(st.lists(st.tuples(DO, st.integers(0, 7)), max_size=8), READ), max_size=12))
def test_each_thing_is_told_once(small: None, migrated: Path, turns: list[Any]) -> None:
    """Reads are cut off after any event and go on elsewhere: I expect no gap, no repeat, progress before ends."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{shutil.copy(migrated, Path(folder) / 'store.db')}")
        event.listen(database._writing, "connect", _without_fsync)
        try:
            asyncio.run(_play(World(database), turns))
        finally:
            database.close()


async def _play(world: World, turns: list[Any]) -> None:
    await world.read(0, True, 0)
    forgotten = False
    for actions, read in turns:
        for action in actions:
            forgotten = forgotten or action[0] == "forget"
            world.do(*action)
        await world.read(*read)
    while world.due:
        world.do(world.due[0][0].replace("email", "mail").replace("notification", "line"), 1)
    await world.read(1, True, 0)
    await world.read(0, True, 0)
    ends = Counter(data["job_id"] for name, data in world.told if name == "done")
    assert ends == Counter(world.ended)
    mails = Counter(data["id"] for name, data in world.told if name == "delivery" and data["state"] == "sent")
    heard = Counter(data["job_id"] for name, data in world.told if name == "notification")
    assert set(mails.values()) | set(heard.values()) <= {1}
    assert forgotten or mails.total() + heard.total() == len(world.sent)
    for job in {data["job_id"] for name, data in world.told if name == "progress"}:
        of_job = [
            (name, data["done"])
            for name, data in world.told
            if data.get("job_id") == job and name in ("progress", "done")
        ]
        moves = [done for name, done in of_job if name == "progress"]
        assert moves == sorted(set(moves))
        assert "done" not in [name for name, _ in of_job[:-1]]
