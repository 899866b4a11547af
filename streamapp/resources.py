"""What the API shows: one pydantic model a resource, used by the web views, the pages, the client and the OpenAPI.

Times are RFC 3339 in UTC. Fields keep their place in the JSON even when they are null, so that a client sees them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = [
    "DeliveryResource",
    "FieldProblem",
    "FileResource",
    "Health",
    "JobList",
    "JobResource",
    "NotificationList",
    "NotificationResource",
    "Problem",
    "Progress",
    "Pushed",
    "Readiness",
    "ReportResource",
    "Status",
    "TaskList",
    "TaskResource",
]

Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]


class Progress(BaseModel):
    """How far a job is: items that are through, of all items of the steps known so far."""

    done: int
    total: int


class FileResource(BaseModel):
    """A file of a report: its plot or an attachment."""

    name: str
    media_type: str
    size: int
    href: str


class ReportResource(BaseModel):
    """What a job ended in."""

    subject: str
    text: str
    html: str | None
    data: dict[str, Any]
    plot: FileResource | None
    plot_alt: str | None
    attachments: list[FileResource]


class DeliveryResource(BaseModel):
    """One delivery of a job: an e-mail, a notification or a webhook."""

    id: str
    job_id: str
    kind: Literal["email", "notification", "webhook"]
    recipient: str
    state: Literal["pending", "sending", "sent", "parked", "dead"]
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    sent_at: datetime | None


class JobResource(BaseModel):
    """A job as its owner sees it. In lists `report` is left empty, and `deliveries` unless the filter is about mail."""

    id: str
    run: int = Field(1, description="Which run of the job this is; a retry begins the next.")
    task: str
    name: str | None = Field(description="The file's name or the first words of the text.")
    email: str | None = Field(None, description="Where the result is sent.")
    webhook: str | None = Field(None, description="The URL that is told when it has ended.")
    params: dict[str, Any] = Field({}, description="The task's parameters, as they were sent.")
    priority: int = Field(0, description="-3 to 3; each step doubles the job's share of its tenant's credits.")
    deadline: datetime | None = Field(None, description="When it is given up if it has not ended.")
    status: Status
    progress: Progress
    position: int | None = Field(description="1 is next; null once it runs.")
    eta_s: float | None = Field(description="Seconds left, estimated; null when nothing is known.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    report: ReportResource | None
    deliveries: list[DeliveryResource]
    error: str | None
    remembered: int = Field(0, description="Items whose results were remembered from earlier work.")
    remembered_at: datetime | None = Field(
        None, description="When the oldest of what was remembered was computed; null when nothing was."
    )


class JobList(BaseModel):
    """A page of jobs, newest first."""

    items: list[JobResource]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class NotificationResource(BaseModel):
    """A line in the platform's inbox."""

    id: int
    job_id: str
    event: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None


class NotificationList(BaseModel):
    """A page of the inbox, newest first."""

    items: list[NotificationResource]
    unread: int
    next: str | None


class NotificationsRead(BaseModel):
    """What marking lines of the inbox came to."""

    read: int = Field(description="Lines that were unread before.")
    unread: int = Field(description="Lines that are unread now.")


class TaskResource(BaseModel):
    """A task one can post work for; `params` is the JSON schema of its parameters.

    `largest` is the most bytes of a document that it takes; None: as many as the settings let in.
    """

    name: str
    summary: str
    accepts: list[str]
    largest: int | None = None
    params: dict[str, Any]


class TaskList(BaseModel):
    """All tasks."""

    items: list[TaskResource]


class Pushed(BaseModel):
    """What the old intake answers."""

    message: str
    status: Literal["Pass"]


class Health(BaseModel):
    """A process that answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """A worker that is in its consumer group, and has heard of a model worker."""

    status: Literal["ready"]
    detail: str = Field("", description="Why no new work is taken, if none is.")
    warning: str = Field("", description="Which model workers keep ending while another lives, if any do, and how.")


class FieldProblem(BaseModel):
    """Which part of a request is wrong and what would be right."""

    field: str
    detail: str


class Problem(BaseModel):
    """An error as RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)
