"""Lost messages: what waits in vain is published again, what merely waits is never touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import Connection, Update, update

from streamapp.identity import Run
from streamapp.jobs.lost import LostAndFound
from streamapp.resources import AgentResource, Overview, PartitionResource
from streamapp.store import dead_letters, ledger, outbox
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.schema import chunks, clock, deliveries, jobs
from tests.unit.store.rows import fly, key, reserved, running

READ = {"inference": 0, "chunks.model": 0, "results": 0, "email": 0, "notification": 0}


class FixedLag:
    """Kafka with these lags."""

    def __init__(self, lags: Mapping[str, int]) -> None:
        self.lags = lags

    async def overview(self) -> Overview:
        """As many agents as there are lags."""
        agents = [
            AgentResource(
                name=name,
                group="g",
                topic=name,
                partitions=[PartitionResource(partition=0, committed=5, end=5 + lag, lag=lag)],
                lag=lag,
                rate=None,
            )
            for name, lag in self.lags.items()
        ]
        return Overview(agents=agents, workers=[])


def _run(connection: Connection, statement: Update) -> None:
    connection.execute(statement)


def _published_long_ago(database: Database) -> tuple[Run, Run]:
    """A queued job, a job with a flying chunk, and a pending e-mail, all published two minutes ago."""
    queued, started = reserved(database), running(database, chunks=1)
    database.write_sync(outbox.jobs_published, [queued])
    fly(database, 1)
    database.write_sync(outbox.chunks_published, [key(started, 0)])
    due = database.write_sync(ledger.enter, queued, "succeeded", "email", "a@example.org")
    database.write_sync(outbox.deliveries_published, [due])
    for table in (jobs, chunks, deliveries):
        old = update(table).where(table.c.published_at.is_not(None)).values(published_at=clock() - 120)
        database.write_sync(_run, old)
    return queued, started


@pytest.mark.parametrize(
    ("lags", "found"),
    [
        (READ, 3),
        ({**READ, "inference": 1}, 2),
        ({**READ, "chunks.model": 1}, 2),
        ({**READ, "results": 1}, 2),  # the chunk's result may be under way
        ({**READ, "email": 7}, 2),
        ({}, 0),  # Kafka does not answer
    ],
)
async def test_only_what_is_read_to_the_end_counts(database: Database, lags: Mapping[str, int], found: int) -> None:
    """A lag means that the message may still come."""
    _published_long_ago(database)
    assert await LostAndFound(database, FixedLag(lags), ["model"]).look() == found


async def test_what_is_found_is_due_for_the_relay_once(database: Database) -> None:
    """The relay sees it as unpublished; a second look finds nothing more."""
    queued, started = _published_long_ago(database)
    lost = LostAndFound(database, FixedLag(READ), ["model"])

    assert await lost.look() == 3

    assert [row.id for row in database.read_sync(outbox.unpublished_jobs, 0.0, 10)] == [queued.job]
    assert [row.job for row in database.read_sync(outbox.unpublished_chunks, 0.0, 10)] == [started.job]
    assert len(database.read_sync(ledger.due, 0.0, 10)) == 1
    assert await lost.look() == 0


async def test_what_was_published_just_now_is_let_be(database: Database) -> None:
    """Its message may be under way."""
    _published_long_ago(database)
    assert await LostAndFound(database, FixedLag(READ), ["model"]).look(age_s=300) == 0


async def test_a_job_with_an_open_dead_letter_is_left_to_the_operator(database: Database) -> None:
    """Its message was brought and buried, and would be again."""
    queued, started = _published_long_ago(database)
    for offset, run in enumerate((queued, started)):
        letter = Letter("t", 0, offset, "no", 1.0, None, b"", run.tenant, run.job, None)
        database.write_sync(dead_letters.note, letter)
    assert await LostAndFound(database, FixedLag(READ), ["model"]).look() == 1  # the e-mail
