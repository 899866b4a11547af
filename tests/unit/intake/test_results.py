"""Reports, plots and attachments as resources: what is shown to whom, and what need not be sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from streamapp.errors import TaskFailed
from streamapp.identity import Run
from streamapp.intake.results import Results
from streamapp.jobs import taskwork
from streamapp.jobs.partial import IN_LINE, Partial
from streamapp.jobs.workshop import Workshop
from streamapp.store import jobs, reports
from streamapp.store.chunks import begin_step, store_result
from streamapp.store.database import Database
from streamapp.store.retrying import again
from streamapp.store.schema import jobs as rows
from streamapp.tasks.contract import Attachment, Plot, Report
from tests.unit.intake.serving import served
from tests.unit.store.rows import key, put, reserved, running, some_chunks

ID = "0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e1f"
NOBODYS = "3f2b8a54-6f4a-4347-88df-88630e4e5895"
PNG = b"\x89PNG of no size"
REPORT = Report(
    subject="A <summary>",
    text="All of it.",
    html="<p>All of <em>it</em>.</p>",
    data={"words": 3},
    plot=Plot(png=PNG, alt="a plot"),
    attachments=[Attachment(name="a.csv", media_type="text/csv", content=b"1,2")],
)
FILES = ("plot", "attachments/1")
SHOWN = ("report", "report.json", "report.txt", "report.html", *FILES)


class FakeWorkshop:
    """Makes what the test says, or raises it; keeps what it was asked, and waits while `gate` is clear."""

    def __init__(self) -> None:
        self.outcome: Any = None
        self.asked: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def run_sized(self, size: int, work: Callable[..., Any], *args: Any) -> Any:
        """Give it."""
        self.asked.append((work, *args))
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def workshop() -> FakeWorkshop:
    """One that makes nothing."""
    return FakeWorkshop()


@pytest_asyncio.fixture
async def client(database: Database, workshop: FakeWorkshop) -> AsyncIterator[ClientSession]:
    """A client of the handlers."""
    results = Results(database, Partial(database, cast(Workshop, workshop)))
    async with served(
        ("GET", "/v1/jobs/{job_id}/partial", results.get_partial),
        ("GET", "/v1/jobs/{job_id}/report", results.get_report),
        ("GET", "/v1/jobs/{job_id}/report.{suffix}", results.get_report),
        ("GET", "/v1/jobs/{job_id}/plot", results.get_plot),
        ("GET", "/v1/jobs/{job_id}/attachments/{position}", results.get_attachment),
    ) as session:
        yield session


def succeeded(database: Database, report: Report = REPORT, run: int = 1) -> Run:
    """A job with a report."""
    mine = reserved(database, id=ID) if run == 1 else Run("anna", ID, run)
    assert database.write_sync(jobs.end, mine, "succeeded")
    database.write_sync(reports.keep, mine, report)
    return mine


async def test_the_report_for_programs(database: Database, client: ClientSession) -> None:
    """I expect JSON with the places of its files, which are there."""
    succeeded(database)
    answer = await client.get(f"/v1/jobs/{ID}/report")
    assert answer.status == 200
    assert answer.content_type == "application/json"
    body = await answer.json()
    assert (body["subject"], body["text"], body["data"]) == ("A <summary>", "All of it.", {"words": 3})
    plot, file = await client.get(body["plot"]["href"]), await client.get(body["attachments"][0]["href"])
    assert (await plot.read(), plot.content_type) == (PNG, "image/png")
    assert (await file.read(), file.content_type) == (b"1,2", "text/csv")
    assert plot.headers["Content-Disposition"] == "inline"
    assert file.headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("report", "text/plain", "text/plain"),
        ("report.txt", "text/html", "text/plain"),
        ("report", "text/html", "text/html"),
        ("report.html", "*/*", "text/html"),
        ("report.json", "text/html", "application/json"),
    ],
)
async def test_the_report_for_people(
    database: Database, client: ClientSession, path: str, accept: str, kind: str
) -> None:
    """I expect what the suffix says, or else `Accept`; a page quotes what it must and runs nothing."""
    succeeded(database)
    answer = await client.get(f"/v1/jobs/{ID}/{path}", headers={"Accept": accept})
    assert (answer.status, answer.content_type) == (200, kind)
    text = await answer.text()
    if kind == "text/plain":
        assert text == "All of it."
    if kind == "text/html":
        assert "<h1>A &lt;summary&gt;</h1>" in text
        assert '<meta name="viewport" content="width=device-width' in text  # or a telephone shows it too small to read
        assert REPORT.html is not None
        assert REPORT.html in text
        assert f'<img src="/v1/jobs/{ID}/plot" alt="a plot">' in text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Vary"] == "Accept"


async def test_a_report_without_html(database: Database, client: ClientSession) -> None:
    """I expect its text, escaped."""
    succeeded(database, Report(subject="S", text="1 < 2\n"))
    answer = await client.get(f"/v1/jobs/{ID}/report.html")
    assert "1 &lt; 2\n</pre>" in await answer.text()
    assert (await client.get(f"/v1/jobs/{ID}/plot")).status == 404


@pytest.mark.parametrize("path", SHOWN)
async def test_what_a_client_has_is_not_sent_again(database: Database, client: ClientSession, path: str) -> None:
    """I expect a tag, and for it 304 without a body, until another run has another result."""
    run = succeeded(database)
    first = await client.get(f"/v1/jobs/{ID}/{path}")
    mark = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for known in (mark, f'"other", {mark}', f"W/{mark}", "*"):
        same = await client.get(f"/v1/jobs/{ID}/{path}", headers={"If-None-Match": known})
        assert (same.status, await same.read()) == (304, b"")
        assert (same.headers["ETag"], same.headers["Cache-Control"]) == (mark, "private, no-cache")
    assert (await client.get(f"/v1/jobs/{ID}/{path}", headers={"If-None-Match": '"other"'})).status == 200

    put(database, rows, {"id": ID}, status="failed")  # as nothing does: so that one job can have a second result
    await database.write(again, run)
    succeeded(database, run=2)
    assert (await client.get(f"/v1/jobs/{ID}/{path}", headers={"If-None-Match": mark})).status == 200


async def test_each_representation_has_a_tag_of_its_own(database: Database, client: ClientSession) -> None:
    """I expect the JSON's tag not to stand for the page."""
    succeeded(database)
    marks = [(await client.get(f"/v1/jobs/{ID}/{path}")).headers["ETag"] for path in SHOWN[1:]]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("path", SHOWN)
async def test_head(database: Database, client: ClientSession, path: str) -> None:
    """I expect the same headers without the content (RFC 9110, 9.3.2)."""
    succeeded(database)
    get, head = await client.get(f"/v1/jobs/{ID}/{path}"), await client.head(f"/v1/jobs/{ID}/{path}")
    assert (head.status, await head.read()) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


async def test_why_there_is_no_report(database: Database, client: ClientSession) -> None:
    """I expect the 404 to say in words what became of the job."""
    run = reserved(database, id=ID)
    for status, words in (("queued", "it waits for its turn"), ("failed", "it has failed")):
        if status != "queued":
            database.write_sync(jobs.end, run, status, "an end")
        said = await (await client.get(f"/v1/jobs/{ID}/report")).json()
        assert said["detail"] == f"This job has no report: {words}."


@pytest.mark.parametrize("path", [*SHOWN, "attachments/7", "attachments/x", "report.pdf"])
async def test_where_there_is_nothing(database: Database, client: ClientSession, path: str) -> None:
    """I expect 404 before there is a report, for what it has not, for nobody's job and for another tenant's."""
    run = reserved(database, id=ID)
    early = await client.get(f"/v1/jobs/{ID}/{path}", headers={"If-None-Match": "*"})
    assert early.status == 404
    database.write_sync(jobs.end, run, "succeeded")
    database.write_sync(reports.keep, run, REPORT)
    assert (await client.get(f"/v1/jobs/{ID}/{path}", headers={"As": "ben"})).status == 404
    assert (await client.get(f"/v1/jobs/{NOBODYS}/{path}")).status == 404
    assert (await client.get(f"/v1/jobs/x/{path}")).status == 404
    assert (await client.get(f"/v1/jobs/{ID}/{path}")).status == (200 if path in SHOWN else 404)


async def test_a_kind_that_there_is_not(database: Database, client: ClientSession) -> None:
    """I expect 406 with those there are."""
    succeeded(database)
    answer = await client.get(f"/v1/jobs/{ID}/report", headers={"Accept": "application/pdf"})
    assert answer.status == 406
    assert "text/plain" in (await answer.json())["detail"]


@pytest.mark.parametrize("status", ["running", "failed", "cancelled", "expired"])
async def test_what_there_is_of_a_job_without_a_report(
    database: Database, client: ClientSession, workshop: FakeWorkshop, status: str
) -> None:
    """I expect the stored results to be kept, and what the task makes of them to be shown; its tag spares making it."""
    run = running(database, id=ID)
    for chunk in (0, 2):
        database.write_sync(store_result, key(run, chunk), b"[1, 2]")
    if status != "running":
        database.write_sync(jobs.end, run, status, "an end")
    workshop.outcome = Report(subject="So far", text="Half of it.")

    answer = await client.get(f"/v1/jobs/{ID}/partial")

    assert (answer.status, (await answer.json())["text"]) == (200, "Half of it.")
    ((work, assignment, step, given),) = workshop.asked
    assert (work, assignment.task, step) == (taskwork.partial, "echo", 0)
    assert [(row.chunk, row.outcomes) for row in given] == [(0, b"[1, 2]"), (2, b"[1, 2]")]
    again_ = await client.get(f"/v1/jobs/{ID}/partial", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again_.status, len(workshop.asked)) == (304, 1)
    page = await client.get(f"/v1/jobs/{ID}/partial", headers={"Accept": "text/html"})
    assert "<h1>So far</h1>" in await page.text()
    assert (await client.get(f"/v1/jobs/{ID}/partial", headers={"As": "ben"})).status == 404


async def test_where_there_is_nothing_in_part(
    database: Database, client: ClientSession, workshop: FakeWorkshop
) -> None:
    """I expect 404 that says why: it waits, nothing was computed, the task makes nothing of it, fails, or is done."""
    run = reserved(database, id=ID)

    async def said() -> str:
        answer = await client.get(f"/v1/jobs/{ID}/partial", headers={"If-None-Match": "*"})
        assert answer.status == 404
        return str((await answer.json())["detail"])

    assert "waits for its turn" in await said()
    database.write_sync(jobs.end, run, "failed", "an end")
    assert "makes none of what there is" in await said()
    assert workshop.asked == []
    database.write_sync(again, run)
    run = Run("anna", ID, 2)
    database.write_sync(begin_step, run, None, 0, some_chunks(2))
    database.write_sync(store_result, key(run, 0), b"[1, 2]")
    assert "makes none of what there is" in await said()
    workshop.outcome = TaskFailed("the task's own code raised ValueError: x")
    assert "raised ValueError: x" in await said()
    database.write_sync(jobs.end, run, "succeeded")
    assert "has succeeded" in await said()


async def test_few_at_a_time(database: Database, client: ClientSession, workshop: FakeWorkshop) -> None:
    """I expect one to be made at a time, and 503 for who comes when enough wait."""
    run = running(database, id=ID)
    database.write_sync(store_result, key(run, 0), b"[1, 2]")
    workshop.outcome = Report(subject="So far", text="Half of it.")
    workshop.gate.clear()
    asking = [asyncio.create_task(client.get(f"/v1/jobs/{ID}/partial")) for _ in range(IN_LINE + 3)]
    async with asyncio.timeout(60):
        while not workshop.asked or sum(each.done() for each in asking) < 3:
            await asyncio.sleep(0.01)
    assert len(workshop.asked) == 1
    workshop.gate.set()
    statuses = [answer.status for answer in await asyncio.gather(*asking)]
    assert sorted(statuses) == [200] * IN_LINE + [503] * 3
