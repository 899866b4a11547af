"""The few lines that the platform's inbox shows when a job has ended."""

from __future__ import annotations

import textwrap
from typing import Literal

from streamapp.delivery.clean import clean_line, clean_text
from streamapp.resources import JobResource
from streamapp.tasks.contract import Report

__all__ = ["job_title", "memory_line", "notice"]

TITLE = 200
BODY = 300


def job_title(job: JobResource, limit: int = 120) -> str:
    """What to call a job in one line: its name, else its task and the beginning of its id."""
    return clean_line(job.name or "", limit) or f"{job.task} {job.id[:8]}"


def failed_title(job: JobResource) -> str:
    """The subject and headline for a job without a result."""
    if job.status == "expired":
        return f"“{job_title(job)}” was not finished in time"
    return f"“{job_title(job)}” could not be finished"


def memory_line(job: JobResource) -> str:
    """Says that the job was answered from memory, or in part, and of when that is; empty when all was computed."""
    if job.remembered_at is None:
        return ""
    total = job.progress.total
    what = (
        "Answered"
        if job.remembered >= total and job.status == "succeeded"
        else f"{job.remembered:,} of {total:,} parts were answered"
    )
    return f"{what} from memory of {job.remembered_at.day} {job.remembered_at:%B %Y}."


def notice(event: Literal["succeeded", "failed"], job: JobResource, report: Report | None) -> tuple[str, str]:
    """The title and the body, plain text, of the message about a job that ended.

    A success shows its report's first paragraph. Raises ValueError for a success without a report.
    """
    if event == "failed":
        reason = clean_text(job.error or "No reason was recorded.")
        return clean_line(failed_title(job), TITLE), textwrap.shorten(reason, BODY, placeholder=" …")
    if report is None:
        raise ValueError("a job that succeeded has a report")
    first = clean_text(report.text).strip().split("\n\n", 1)[0]
    begins = textwrap.shorten(first, BODY, placeholder=" …")
    return clean_line(report.subject, TITLE), f"“{job_title(job)}” is ready.\n{begins}".rstrip()
