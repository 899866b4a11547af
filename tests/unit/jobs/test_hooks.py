"""A job's end enters its webhook, in the same transaction, for each way to end."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.jobs.progress import Progress
from streamapp.store import ledger
from streamapp.store.database import Database
from streamapp.store.schema import deliveries, jobs
from streamapp.tasks.contract import Report
from tests.unit.store.rows import reserved, row_of, rows_of, running

URL = "https://receiver.example/hook"


class Published:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.due: list[ledger.Due] = []

    async def deliveries(self, due: list[ledger.Due]) -> None:
        """Keep them."""
        self.due += due

    async def jobs(self, runs: Any) -> None:
        """Let them be."""


async def end(database: Database, run: Run, how: str) -> list[str]:
    """End a job; returns the kinds of the deliveries that are published."""
    publisher = Published()
    parts = Progress(database, publisher)  # type: ignore[arg-type]
    if how == "cancelled":
        assert await parts.cancel(run)
        assert not await parts.cancel(run)
    elif how == "expired":
        await parts.expire(run)
    elif how == "failed":
        await parts.fail(run, "no")
    else:
        await parts.take(run, None, Report(subject="Done", text="All."))
    return [each.kind for each in publisher.due]


@pytest.mark.parametrize("how", ["succeeded", "failed", "expired", "cancelled"])
async def test_a_program_is_told_of_every_end(how: str, database: Database) -> None:
    """By its own name, once."""
    run = reserved(database, webhook=URL, email="a@example.org")
    told = await end(database, run, how)
    assert told == (["webhook"] if how == "cancelled" else ["notification", "email", "webhook"])
    row = row_of(database, deliveries, kind="webhook")
    assert (row.event, row.recipient, row.state) == (how, URL, "pending")
    assert row_of(database, jobs).status == how


async def test_a_cancelled_job_that_runs(database: Database) -> None:
    """Is told too, and one without a webhook tells nobody."""
    assert await end(database, running(database, webhook=URL), "cancelled") == ["webhook"]
    assert await end(database, running(database), "cancelled") == []


def test_both_or_nothing(database: Database) -> None:
    """An end that is not committed enters no webhook."""
    run = reserved(database, webhook=URL)

    def cut(connection: Connection) -> None:
        assert progress._cancel(connection, run)
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        database.write_sync(cut)
    assert rows_of(database, deliveries) == []
    assert row_of(database, jobs).status == "queued"
