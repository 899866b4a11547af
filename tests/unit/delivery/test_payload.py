"""The body of a webhook: typed, with links, the same each time, and never too large."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.delivery.payload import BIGGEST, JobEvent, payload
from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.resources import JobResource
from streamapp.store import posting
from streamapp.store.database import Database
from streamapp.store.schema import deliveries
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Plot, Report
from tests.unit.store.rows import reserved, row_of

BASE = "https://books.example.org"
URL = "https://receiver.example/hook"


def body(database: Database, run: Run) -> dict[str, Any]:
    """What a receiver gets of the job's end, checked against its type."""
    identity = row_of(database, deliveries, kind="webhook", job=run.job).id
    claimed = database.write_sync(posting.claim_webhook, identity, "token", 60.0)
    assert claimed is not None
    assert claimed.job is not None
    raw = payload(claimed.row, claimed.job, claimed.report, BASE)
    assert len(raw) <= BIGGEST
    JobEvent.model_validate_json(raw)
    found: dict[str, Any] = json.loads(raw)
    return found


def test_a_job_that_succeeded(database: Database) -> None:
    """Comes with its report and links to the rest, and without HTML and pictures."""
    run = reserved(database, webhook=URL, name="A book")
    report = Report(subject="Done", text="All of it.", data={"n": 1}, html="<p>", plot=Plot(png=b"\x89PNG", alt="arc"))
    database.write_sync(progress._finish, run, None, report)
    event = body(database, run)
    assert event["type"] == "job.succeeded"
    data = event["data"]
    assert (data["id"], data["name"], data["status"]) == (run.job, "A book", "succeeded")
    assert data["report"] == {"subject": "Done", "text": "All of it.", "data": {"n": 1}}
    assert data["report_left_out"] is False
    assert data["links"] == {
        "job": f"{BASE}/v1/jobs/{run.job}",
        "page": f"{BASE}/jobs/{run.job}",
        "plot": f"{BASE}/v1/jobs/{run.job}/plot",
    }
    assert event["timestamp"] == data["finished_at"]


def test_a_report_that_is_too_large(database: Database) -> None:
    """Is left out, and said to be."""
    run = reserved(database, webhook=URL)
    database.write_sync(progress._finish, run, None, Report(subject="Done", text="x" * BIGGEST))
    data = body(database, run)["data"]
    assert (data["report"], data["report_left_out"]) == (None, True)


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_a_job_without_a_report(status: str, database: Database) -> None:
    """Says why."""
    run = reserved(database, webhook=URL)
    database.write_sync(progress._end, run, status, "no sentence in it")
    event = body(database, run)
    assert event["type"] == f"job.{status}"
    assert (event["data"]["status"], event["data"]["error"]) == (status, "no sentence in it")
    assert (event["data"]["report"], event["data"]["links"]["plot"]) == (None, None)


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=2000)


@given(TEXTS, TEXTS, st.text(alphabet='\x01\U0001f600ä\\"', min_size=1500, max_size=2000))
def test_it_is_never_too_large(name: str, subject: str, error: str) -> None:
    """Whatever stands in it: names, subjects and reasons are bounded, reports are left out."""
    job = JobResource.model_validate(
        {
            **dict.fromkeys(JobResource.model_fields),
            **{"id": "j" * 36, "task": "t" * 100, "name": name[:200], "status": "failed", "error": error},
            **{
                "progress": {"done": 1, "total": 1},
                "deliveries": [],
                "remembered": 0,
                "run": 1,
                "params": {},
                "priority": 0,
            },
            "created_at": "2030-01-01T00:00:00Z",
        }
    )
    row = cast(AnyRow, SimpleNamespace(event="failed", created_at=1.9e9))
    report = cast(AnyRow, SimpleNamespace(subject=subject, text=name * 20, data="{}", plot_alt=None))
    assert len(payload(row, job, report, f"https://{'h' * 253}")) <= BIGGEST
