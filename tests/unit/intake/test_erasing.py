"""DELETE /v1/jobs/{id}/data: nothing of the job is left, and only who owns it may say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from streamapp.documents.claim import Blobs
from streamapp.identity import Run
from streamapp.intake.erasing import Erasing
from streamapp.jobs.purging import Purging
from streamapp.store import jobs, ledger, reports
from streamapp.store.database import Database
from streamapp.store.reservations import JobRemoved, reserve
from streamapp.store.schema import deliveries, files
from streamapp.store.schema import jobs as rows
from streamapp.store.schema import reports as report_rows
from tests.unit.intake.serving import served
from tests.unit.intake.test_results import REPORT
from tests.unit.store.rows import new_job, reserved, rows_of

ID = "0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e1f"
DATA = f"/v1/jobs/{ID}/data"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty blob store."""
    return Blobs((tmp_path / "blobs").as_uri())


@pytest_asyncio.fixture
async def client(database: Database, blobs: Blobs) -> AsyncIterator[ClientSession]:
    """A client of the handler."""
    erasing = Erasing(database, Purging(database, blobs))
    async with served(("DELETE", "/v1/jobs/{job_id}/data", erasing.delete_data)) as session:
        yield session


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "expired"])
async def test_nothing_is_left(database: Database, blobs: Blobs, client: ClientSession, status: str) -> None:
    """I expect its rows and its document to go, mail that waits too, and its id not to start it again."""
    document = blobs.put(f"documents/anna/{ID}/x", b"x" * 5000)
    run = reserved(database, id=ID, document=document)
    database.write_sync(jobs.end, run, status)
    database.write_sync(reports.keep, run, REPORT)
    database.write_sync(ledger.enter, run, "failed", "email", "anna@example.org")

    answer = await client.delete(DATA)

    assert (answer.status, await answer.read()) == (204, b"")
    assert not blobs.holds(document)
    for table, column in ((rows, "id"), (deliveries, "job"), (report_rows, "job"), (files, "job")):
        assert rows_of(database, table, **{column: ID}) == []
    assert (await client.delete(DATA)).status == 404
    with pytest.raises(JobRemoved):
        database.write_sync(reserve, new_job(id=ID))


async def test_what_has_not_ended_is_let_be(database: Database, client: ClientSession) -> None:
    """I expect 409 that says what to do, and the job to be as it was."""
    run = reserved(database, id=ID)
    answer = await client.delete(DATA)
    assert answer.status == 409
    assert f"DELETE /v1/jobs/{ID}" in (await answer.json())["detail"]
    assert database.read_sync(jobs.get, Run(run.tenant, run.job, 1)) is not None


async def test_another_tenant_s_job(database: Database, client: ClientSession) -> None:
    """I expect the answer for what does not exist, and the job to stay."""
    run = reserved(database, id=ID)
    database.write_sync(jobs.end, run, "succeeded")
    for path in (DATA, "/v1/jobs/x/data"):
        assert (await client.delete(path, headers={"As": "ben"})).status == 404
    assert len(rows_of(database, rows, id=ID)) == 1
