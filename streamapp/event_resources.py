"""What events say, as JSON: written by the streams, read by the client.

`delivery` and `notification` say what the API says of them elsewhere (`streamapp.resources`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from streamapp.resources import Status

__all__ = ["DoneEvent", "PartialEvent", "ProgressEvent"]


class ProgressEvent(BaseModel):
    """`progress`: how far a job is. Within a run the figures never get smaller."""

    job_id: str
    status: Status
    done: int = Field(description="Items that are through.")
    total: int = Field(description="Items of the steps known so far.")


class PartialEvent(BaseModel):
    """`partial`: a report on the items from the first one on that are through. Each replaces the one before."""

    job_id: str
    items: int = Field(description="Items that it is about.")
    subject: str
    text: str
    html: str | None
    data: dict[str, Any]


class DoneEvent(BaseModel):
    """`done`: a job has ended. Its report is at `href`; its deliveries follow."""

    job_id: str
    status: Status
    done: int
    total: int
    error: str | None
    finished_at: datetime | None
    href: str
