"""Cancel and retry by filter: for admins alone, a bounded number a call, and written down with what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from streamapp.documents.claim import Blobs
from streamapp.identity import Run
from streamapp.intake.bulk import Bulk
from streamapp.intake.service import Intake
from streamapp.jobs.many import Many
from streamapp.jobs.progress import Progress
from streamapp.jobs.publish import Publisher
from streamapp.jobs.retrying import Retrying
from streamapp.store import audit as lines
from streamapp.store import bulk, jobs
from streamapp.store.audit import audit
from streamapp.store.database import Database
from streamapp.store.schema import jobs as rows
from streamapp.store.sql import AnyRow
from streamapp.tasks.registry import Registry
from tests.unit.intake.serving import served
from tests.unit.jobs.test_way import FakePublisher
from tests.unit.store.rows import put, reserved, row_of, rows_of, running

CHIEF = {"As": "chief"}


class World:
    """The handlers on a store, and what they did outside of it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.published: list[AnyRow] = []
        self.signalled: list[Run] = []
        self.closed: str | None = None
        publisher = cast(Publisher, FakePublisher(database))
        blobs = Blobs(folder.as_uri())
        progress = Progress(database, publisher, signal=self.signalled.append)
        retrying = Retrying(database, blobs, self._publish)
        intake = Intake(Registry([]), database, blobs, self._publish, closed=lambda: self.closed)
        self.bulk = Bulk(database, intake, Many(database, progress, retrying, ("model",)))
        self.client: ClientSession

    async def _publish(self, sent: Sequence[AnyRow]) -> None:
        self.published += sent

    async def call(self, what: str, expected: int = 200, who: str = "chief", /, **fields: Any) -> Any:
        """The answer to a POST."""
        answer = await self.client.post(f"/v1/jobs/{what}", json=fields, headers={"As": who})
        assert answer.status == expected, await answer.text()
        return await answer.json()


@pytest_asyncio.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Everything, with a client."""
    made = World(database, tmp_path / "blobs")
    async with served(
        ("POST", "/v1/jobs/cancel", made.bulk.cancel_jobs),
        ("POST", "/v1/jobs/retry", made.bulk.retry_jobs),
        ("GET", "/v1/audit", made.bulk.list_audit),
    ) as made.client:
        yield made


def ended(database: Database, status: str, **fields: Any) -> Run:
    """A job that ended so."""
    run = reserved(database, **fields)
    assert database.write_sync(jobs.end, run, status, "an end")
    return run


async def test_cancel_what_matches(database: Database, world: World) -> None:
    """I expect the open jobs that match to be cancelled by an operator, whoever waits to hear of it, and no others."""
    mine = [reserved(database, task="summarize"), running(database, task="summarize")]
    others = [reserved(database), reserved(database, tenant="ben", task="summarize")]
    done = ended(database, "succeeded", task="summarize")

    said = await world.call("cancel", task="summarize")

    assert set(said["ids"]) == {run.job for run in mine}
    assert (said["matched"], said["changed"], said["next"], said["dry_run"]) == (2, 2, None, False)
    for run in mine:
        row = row_of(database, rows, id=run.job)
        assert (row.status, row.error) == ("cancelled", bulk.BY_OPERATOR)
    assert {row_of(database, rows, id=run.job).status for run in others} == {"queued"}
    assert row_of(database, rows, id=done.job).status == "succeeded"
    assert set(world.signalled) == set(mine)


async def test_retry_what_matches(database: Database, world: World) -> None:
    """I expect failed and expired jobs to run again, cancelled ones only if they are named, none without a document."""
    failed, expired, cancelled = (ended(database, status) for status in ("failed", "expired", "cancelled"))
    gone = ended(database, "failed", document="blob:documents/gone")
    ended(database, "failed", tenant="ben")

    said = await world.call("retry", error="an END")

    assert set(said["ids"]) == {failed.job, expired.job}
    assert (said["matched"], said["changed"]) == (3, 2)
    assert {(row.id, row.run) for row in world.published} == {(failed.job, 2), (expired.job, 2)}
    assert row_of(database, rows, id=gone.job).status == "failed"
    assert (await world.call("retry", status="cancelled"))["ids"] == [cancelled.job]


@pytest.mark.parametrize("what", ["cancel", "retry"])
async def test_a_dry_run(database: Database, world: World, what: str) -> None:
    """I expect to be told which, and nothing to be changed or written down."""
    run = reserved(database) if what == "cancel" else ended(database, "failed")
    before = row_of(database, rows)
    said = await world.call(what, task="echo", dry_run=True)
    assert (said["dry_run"], said["matched"], said["changed"], said["ids"]) == (True, 1, 0, [run.job])
    assert row_of(database, rows) == before
    assert rows_of(database, audit) == []


async def test_a_call_is_bounded_and_goes_on(database: Database, world: World) -> None:
    """I expect every job once over all calls, although those that were changed match no more."""
    expected = [reserved(database).job for _ in range(7)]
    found: list[str] = []
    cursor: dict[str, Any] = {}
    for size in (3, 3, 1):
        said = await world.call("cancel", task="echo", limit=3, **cursor)
        assert said["changed"] == size
        found += said["ids"]
        cursor = {"cursor": said["next"]}
    assert said["next"] is None
    assert sorted(found) == sorted(expected)


async def test_what_was_done_is_written_down(database: Database, world: World) -> None:
    """I expect who, when, what, the filter and how many, newest first, for the tenant's own admins alone."""
    reserved(database)
    await world.call("cancel", task="echo", created_after="2001-01-01T00:00:00Z", limit=5)
    await world.call("retry", status=["cancelled"])
    await world.call("retry", status="failed")
    database.write_sync(lines.note, "ben", None, "cancel", {}, 1)

    page = await (await world.client.get("/v1/audit", params={"limit": "2"}, headers=CHIEF)).json()
    rest = await (await world.client.get("/v1/audit", params={"cursor": page["next"]}, headers=CHIEF)).json()

    said = [(line["tenant"], line["key"], line["what"], line["filter"], line["changed"]) for line in page["items"]]
    assert said == [
        ("anna", "key-2", "retry", {"status": "failed"}, 0),
        ("anna", "key-2", "retry", {"status": ["cancelled"]}, 1),
    ]
    (first,) = rest["items"]
    assert first["filter"] == {"task": "echo", "created_after": "2001-01-01T00:00:00Z"}
    assert (first["what"], first["changed"], rest["next"]) == ("cancel", 1, None)


async def test_the_line_and_the_work_are_one(database: Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect nothing to be cancelled that could not be written down."""
    run = reserved(database)

    def failing(*_: Any) -> None:
        raise RuntimeError("no line")

    monkeypatch.setattr(lines, "note", failing)
    await world.call("cancel", 500, task="echo")
    assert row_of(database, rows, id=run.job).status == "queued"


@pytest.mark.parametrize("who", ["anna", "ben"])
async def test_only_admins_may(database: Database, world: World, who: str) -> None:
    """I expect 403 without the scope, whatever is asked for, and nothing to change."""
    run = reserved(database)
    for what in ("cancel", "retry"):
        await world.call(what, 403, who, task="echo")
    assert (await world.client.get("/v1/audit", headers={"As": who})).status == 403
    assert row_of(database, rows, id=run.job).status == "queued"


@pytest.mark.parametrize(
    ("what", "fields", "field"),
    [
        ("cancel", {}, "status"),
        ("cancel", {"dry_run": True, "limit": 5}, "status"),
        ("cancel", {"status": "failed"}, "status"),
        ("retry", {"status": "failed,succeeded"}, "status"),
        ("retry", {"state": "failed"}, "state"),
        ("cancel", {"task": "echo", "dry_run": "yes"}, "dry_run"),
        ("cancel", {"task": "echo", "limit": 101}, "limit"),
        ("cancel", {"task": "echo", "limit": True}, "limit"),
        ("cancel", {"task": "echo", "cursor": 5}, "cursor"),
        ("cancel", {"task": "echo", "cursor": "x"}, "cursor"),
    ],
)
async def test_what_is_wrong_is_named(
    database: Database, world: World, what: str, fields: dict[str, Any], field: str
) -> None:
    """I expect 422, above all where no filter would mean every job."""
    run = reserved(database)
    said = await world.call(what, 422, **fields)
    assert said["errors"][0]["field"] == field
    assert row_of(database, rows, id=run.job).status == "queued"


async def test_no_new_work_while_the_intake_is_closed(database: Database, world: World) -> None:
    """I expect 503 for a retry, which is new work, and cancelling to go on, which makes less."""
    ended(database, "failed")
    run = reserved(database)
    world.closed = "The disk is nearly full."
    await world.call("retry", 503, task="echo")
    assert (await world.call("cancel", task="echo"))["ids"] == [run.job]


def test_a_job_that_moved_on_is_let_be(database: Database) -> None:
    """I expect what ended or runs between the look and the transaction to be left as it is, and not to be counted."""
    done, failed = ended(database, "succeeded"), ended(database, "failed")
    put(database, rows, {"id": failed.job}, run=2)
    by = bulk.By("anna", None, {})
    assert database.write_sync(bulk.cancel_all, [done], by) == ([], [])
    assert database.write_sync(bulk.retry_all, [done, failed], by) == []
    assert [row.changed for row in rows_of(database, audit)] == [0, 0]
