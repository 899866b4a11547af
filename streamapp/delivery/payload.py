"""What a webhook says: which job has ended and how, small enough for every receiver, with links to the rest.

`BIGGEST` bounds the whole body (Standard Webhooks asks for less than 20 kB). A report that does not fit is left out and
`report_left_out` says so: the job's link has it, as it has the plot and the attachments, which never travel along.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from streamapp.resources import JobResource, Progress, Status
from streamapp.store.sql import AnyRow

__all__ = ["BIGGEST", "JobEvent", "payload"]

BIGGEST = 20_000  # bytes


class Links(BaseModel):
    """Where the rest is."""

    job: str = Field(description="The job as the API shows it.")
    page: str = Field(description="The same for people.")
    plot: str | None


class ReportOfEvent(BaseModel):
    """A report without its files and its HTML."""

    subject: str
    text: str
    data: dict[str, Any]


class JobOfEvent(BaseModel):
    """A job that has ended."""

    id: str
    task: str
    name: str | None
    status: Status
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime
    error: str | None
    remembered: int
    remembered_at: datetime | None
    report: ReportOfEvent | None
    report_left_out: bool = Field(description="There is a report, and it is too large for this; the link has it.")
    links: Links


class JobEvent(BaseModel):
    """The body of a webhook."""

    type: Literal["job.succeeded", "job.failed", "job.expired", "job.cancelled"]
    timestamp: datetime = Field(description="When the job ended.")
    data: JobOfEvent


def payload(delivery: AnyRow, job: JobResource, report: AnyRow | None, link_base: str) -> bytes:
    """The body, the same at each attempt: JSON of at most `BIGGEST` bytes."""
    whole = _event(delivery, job, report, link_base).model_dump_json().encode()
    if report is None or len(whole) <= BIGGEST:
        return whole
    event = _event(delivery, job, report, link_base)
    event.data.report, event.data.report_left_out = None, True
    return event.model_dump_json().encode()


def _event(delivery: AnyRow, job: JobResource, report: AnyRow | None, link_base: str) -> JobEvent:
    ended = datetime.fromtimestamp(delivery.created_at, UTC)  # it was entered as the job ended
    kept = job.model_dump(include=set(JobOfEvent.model_fields) & set(JobResource.model_fields))
    kept |= {"status": delivery.event, "finished_at": ended, "report": None, "report_left_out": False}
    if report is not None:
        kept["report"] = {"subject": report.subject, "text": report.text, "data": json.loads(report.data)}
    kept["links"] = {
        "job": f"{link_base}/v1/jobs/{job.id}",
        "page": f"{link_base}/jobs/{job.id}",
        "plot": f"{link_base}/v1/jobs/{job.id}/plot" if report is not None and report.plot_alt is not None else None,
    }
    return JobEvent.model_validate({"type": f"job.{delivery.event}", "timestamp": ended, "data": kept})
