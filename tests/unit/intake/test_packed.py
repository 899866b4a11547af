"""Every call that reads a body as JSON takes the same encodings of it, and refuses others in the same words."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from streamapp.intake.notices import Notices
from streamapp.intake.reruns import Reruns
from streamapp.store.database import Database
from tests.unit.intake.serving import served
from tests.unit.intake.test_bulk import World as Jobs
from tests.unit.intake.test_operators import World as Letters

NOBODY: Any = None  # a retry's own parts, which a body that is refused does not reach
READING = [
    "/v1/jobs/cancel",
    "/v1/jobs/retry",
    "/v1/jobs/7/retry",
    "/v1/dead-letters/redrive",
    "/v1/dead-letters/discard",
    "/v1/notifications/read",
]
FILTER = b'{"status": "running"}'


@pytest_asyncio.fixture
async def client(database: Database, tmp_path: Path) -> AsyncIterator[ClientSession]:
    """A client of all of them."""
    jobs, letters = Jobs(database, tmp_path / "blobs"), Letters(database)
    handlers = [
        jobs.bulk.cancel_jobs,
        jobs.bulk.retry_jobs,
        lambda request: Reruns(NOBODY, NOBODY, NOBODY, NOBODY).retry_job(request, "7"),
        letters.operators.redrive_letters,
        letters.operators.discard_letters,
        Notices(database).read_notifications,
    ]
    async with served(*(("POST", path, handler) for path, handler in zip(READING, handlers, strict=True))) as made:
        yield made


async def sent(client: ClientSession, path: str, body: bytes, encoding: str) -> tuple[int, Any]:
    """What is answered to it."""
    answer = await client.post(path, data=body, headers={"As": "chief", "Content-Encoding": encoding})
    return answer.status, await answer.json()


@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip"])
async def test_an_encoding_that_is_not_undone(client: ClientSession, path: str, encoding: str) -> None:
    """I expect 415 that names the header and says what is taken, and not that this is no JSON."""
    status, said = await sent(client, path, FILTER, encoding)
    assert (status, said["errors"][0]["field"]) == (415, "Content-Encoding")
    assert said["detail"] == f"Send the body as it is, or in gzip or deflate, not in {encoding}."


@pytest.mark.parametrize("path", READING)
async def test_half_of_a_compressed_body(client: ClientSession, path: str) -> None:
    """I expect to hear of the compression: what there is of the JSON is not what was sent."""
    status, said = await sent(client, path, gzip.compress(FILTER * 50)[:30], "gzip")
    assert (status, said["errors"][0]["field"]) == (400, "body")
    assert "was it compressed, and whole?" in said["detail"]


async def test_a_compressed_body(client: ClientSession) -> None:
    """I expect it to be read."""
    assert (await sent(client, "/v1/jobs/cancel", gzip.compress(FILTER), "gzip"))[0] == 200
