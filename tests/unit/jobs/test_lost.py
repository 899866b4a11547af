"""Lost messages: what waits in vain is published again, what merely waits is never touched."""

from __future__ import annotations

import pytest

from streamapp.errors import BrokerUnavailable
from streamapp.identity import Run
from streamapp.jobs.lost import LostAndFound
from streamapp.jobs.offsets import Progress, Snapshot
from streamapp.jobs.publish import KINDS
from streamapp.store import dead_letters, ledger, outbox
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.upkeep import dead_letters as letter_rows
from streamapp.topics import TopicNames
from tests.unit.store.rows import fly, key, land, put, reserved, running

AGENTS = ("inference", "chunks.model", "results", "dead-letter", "email", "notification", "webhook")


class Kafka:
    """One partition of each topic, as the groups see it: ten messages, all of them read."""

    def __init__(self) -> None:
        self.start = dict.fromkeys(AGENTS, 0)
        self.committed: dict[str, int | None] = dict.fromkeys(AGENTS, 10)
        self.end = dict.fromkeys(AGENTS, 10)
        self.away = False
        self.asked = 0

    async def snapshot(self) -> Snapshot:
        """What is so now."""
        self.asked += 1
        if self.away:
            raise BrokerUnavailable("Kafka does not answer")
        return {
            agent: {0: Progress(self.committed[agent], self.start[agent], self.end[agent])}
            for agent in AGENTS
            if self.end[agent] >= 0
        }


class Setting:
    """A queued job, a job with a flying chunk, and a pending e-mail: each message is the tenth of its topic."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kafka = Kafka()
        self.queued, self.started = reserved(database), running(database, chunks=1)
        (self.chunk,) = fly(database, 1)
        due = database.write_sync(ledger.enter, self.queued, "succeeded", "email", "a@example.org")
        database.write_sync(outbox.jobs_published, [self.queued], [(0, 9)])
        database.write_sync(outbox.chunks_published, [key(self.started, 0)], [(0, 9)])
        database.write_sync(outbox.deliveries_published, [due], [(0, 9)])
        self.lost = LostAndFound(database, self.kafka, TopicNames("t."), ["model"])

    async def looks(self, count: int = 2) -> int:
        """Look so often; how many were found in all."""
        return sum([await self.lost.look() for _ in range(count)])

    def unpublished(self) -> list[str]:
        """What the relay would publish."""
        found = ["job" for _ in self.database.read_sync(outbox.unpublished_jobs, 0.0, 10)]
        found += ["chunk" for _ in self.database.read_sync(outbox.unpublished_chunks, 0.0, 10)]
        return found + [due.kind for due in self.database.read_sync(ledger.due, 0.0, 10)]


@pytest.fixture
def setting(database: Database) -> Setting:
    """Everything is read to the end, and nothing came of it."""
    return Setting(database)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_delivery_of_each_kind(kind: str, database: Database) -> None:
    """I expect one whose message was read without effect to be published again."""
    due = database.write_sync(ledger.enter, reserved(database), "succeeded", kind, "anna")
    database.write_sync(outbox.deliveries_published, [due], [(0, 9)])
    lost = LostAndFound(database, Kafka(), TopicNames("t."), ["model"])
    assert [await lost.look(), await lost.look()] == [0, 1]
    assert [each.kind for each in database.read_sync(ledger.due, 0.0, 10)] == [kind]


async def test_consumed_without_effect(setting: Setting) -> None:
    """I expect a row whose message was read and that is open all the same to be published again, once."""
    assert await setting.looks(1) == 0
    assert await setting.looks(1) == 3
    assert setting.unpublished() == ["job", "chunk", "email"]
    assert await setting.looks(4) == 0


@pytest.mark.parametrize("committed", [None, 0, 9])
async def test_what_waits_is_never_touched(setting: Setting, committed: int | None) -> None:
    """I expect messages that their group has not committed yet to be waited for, also by a group that is new."""
    setting.kafka.committed = dict.fromkeys(AGENTS, committed)
    assert await setting.looks(20) == 0
    assert setting.unpublished() == []


async def test_what_the_broker_lost(setting: Setting) -> None:
    """I expect a message beyond the end to be published again, also when its group had read further once."""
    setting.kafka.end = dict.fromkeys(AGENTS, 3)
    setting.kafka.committed = {**dict.fromkeys(AGENTS, 3), "inference": 50}
    assert await setting.looks() == 3


async def test_what_was_deleted_unread(setting: Setting) -> None:
    """I expect a message below the first one that is kept to be published again."""
    setting.kafka.committed = dict.fromkeys(AGENTS, 4)
    setting.kafka.start = dict.fromkeys(AGENTS, 10)
    assert await setting.looks() == 3


async def test_a_result_that_is_under_way(setting: Setting) -> None:
    """I expect a chunk to wait until the results are read that were there when it was seen to be consumed."""
    setting.kafka.end["results"] = 12  # its own may be one of these two
    assert await setting.looks(5) == 2
    assert setting.unpublished() == ["job", "email"]
    setting.kafka.committed["results"] = 11
    assert await setting.looks() == 0
    land(setting.database, [setting.chunk])
    setting.kafka.committed["results"] = 12
    assert await setting.looks() == 0


async def test_under_a_constant_load(setting: Setting) -> None:
    """I expect a lag that never is zero to hold up nothing for ever: what counts is what was there at the time."""
    kafka = setting.kafka
    found = []
    for _ in range(6):
        for agent in AGENTS:
            kafka.end[agent] += 3
            kafka.committed[agent] = kafka.end[agent] - 2
        found.append(await setting.lost.look())
    assert found[0] == 0
    assert sum(found) == 3


async def test_a_dead_letter_that_is_under_way(setting: Setting) -> None:
    """I expect a message that was buried just now to be waited for until that is known."""
    setting.kafka.end["dead-letter"] = 11
    assert await setting.looks(5) == 0
    setting.kafka.committed["dead-letter"] = 11
    assert await setting.looks() == 3


async def test_a_redriven_message_is_waited_for(setting: Setting) -> None:
    """I expect one that an operator put on its topic again, beyond its old place, to be waited for."""
    setting.kafka.end["inference"] = 11
    assert await setting.looks(5) == 2
    assert "job" not in setting.unpublished()


async def test_redriven_between_two_looks(setting: Setting) -> None:
    """I expect a suspect that was buried and sent on its way again, unseen, to be judged from the beginning."""
    setting.kafka.end["dead-letter"] = 11
    await setting.looks(3)
    run = setting.queued
    letter = Letter("t.inference", 0, 9, "no", 1.0, None, b"", run.tenant, run.job, None)
    setting.database.write_sync(dead_letters.note, letter)
    put(setting.database, letter_rows, {"job": run.job}, state="redriven")
    setting.kafka.end["inference"] = setting.kafka.committed["dead-letter"] = 11
    await setting.looks(5)
    assert "job" not in setting.unpublished()


async def test_a_row_that_moved_on_between_two_looks(setting: Setting) -> None:
    """I expect a chunk that was consumed and whose result came next to be let be, and so one that flies anew."""
    assert await setting.looks(1) == 0
    land(setting.database, [setting.chunk])
    setting.database.write_sync(outbox.jobs_published, [setting.queued], [(0, 8)])
    assert await setting.looks(1) == 1  # the e-mail
    assert await setting.looks(1) == 1  # and the job, whose new place was looked at once before


async def test_what_is_put_after_the_ends_were_read(setting: Setting) -> None:
    """I expect a message beyond the end as it was read just before to be seen in its place the next time."""
    setting.database.write_sync(outbox.jobs_published, [setting.queued], [(0, 10)])
    await setting.looks(1)
    setting.kafka.end["inference"] = 11
    await setting.looks(3)
    assert "job" not in setting.unpublished()


async def test_a_topic_that_was_made_anew_while_it_was_waited_for(setting: Setting) -> None:
    """I expect nobody to wait until a new topic is as long as the old one was."""
    setting.kafka.end["results"] = 1000
    assert await setting.looks(3) == 2
    setting.kafka.end["results"] = setting.kafka.committed["results"] = 2
    assert await setting.looks(1) == 1


async def test_a_topic_that_kafka_does_not_know(setting: Setting) -> None:
    """I expect no judgement on its rows, nor on those that depend on it."""
    setting.kafka.end["inference"] = -1
    setting.kafka.end["results"] = -1
    assert await setting.looks(4) == 1
    assert setting.unpublished() == ["email"]


async def test_a_broker_that_is_away(setting: Setting) -> None:
    """I expect a look that fails to leave everything as it is, and the next to go on."""
    await setting.looks(1)
    setting.kafka.away = True
    with pytest.raises(BrokerUnavailable):
        await setting.looks(1)
    setting.kafka.away = False
    assert await setting.looks(1) == 3


async def test_rows_without_a_place(database: Database) -> None:
    """I expect what was published before places were kept to be lost once all of its topic, as it was, is read."""
    queued, started = reserved(database), running(database, chunks=1)
    fly(database, 1)
    for table, run in ((jobs, queued), (chunks, started)):
        put(database, table, {"id" if table is jobs else "job": run.job}, published_at=clock())
    kafka = Kafka()
    kafka.committed["inference"] = 9
    lost = LostAndFound(database, kafka, TopicNames("t."), ["model"])
    assert sum([await lost.look() for _ in range(5)]) == 1
    kafka.end["inference"], kafka.committed["inference"] = 20, 10
    assert await lost.look() == 1


async def test_an_idle_store_asks_kafka_nothing(database: Database) -> None:
    """I expect no requests while no row waits for a message."""
    kafka = Kafka()
    reserved(database)
    lost = LostAndFound(database, kafka, TopicNames("t."), ["model"])
    assert await lost.look() == 0
    assert kafka.asked == 0
    database.write_sync(outbox.jobs_published, [Run("anna", reserved(database).job, 1)], [(0, 1)])
    await lost.look()
    assert kafka.asked == 1
