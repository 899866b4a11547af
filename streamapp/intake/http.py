"""The API's handlers: a request in, a resource out. What they need is given to them by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from streamapp.identity import Run
from streamapp.intake.answers import Answers
from streamapp.intake.bodies import JOB_BODY, JOB_DOCUMENT, JOB_FORM, JOB_QUERY
from streamapp.intake.body import Bodies
from streamapp.intake.caller import caller_of
from streamapp.intake.fields import UNNAMED
from streamapp.intake.handling import (
    NO_SUCH,
    PAGE,
    WRONG,
    as_json,
    known,
    limit_of,
    no_such,
    number_of,
)
from streamapp.intake.operation import JSON, Answer, Link, operation, shared
from streamapp.intake.query import PageQuery
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.intake.submission import Submission
from streamapp.intake.taking import found_job, named_by, push_job, take_job
from streamapp.jobs.insight import Insight
from streamapp.jobs.progress import Progress
from streamapp.operator_resources import Overview
from streamapp.resources import (
    JobResource,
    NotificationList,
    NotificationResource,
    Pushed,
    TaskList,
    TaskResource,
)
from streamapp.settings import Settings
from streamapp.store import inbox, jobs
from streamapp.store.database import Database
from streamapp.store.present import present_inbox, present_notification
from streamapp.store.sql import AnyRow
from streamapp.tasks.registry import Registry

__all__ = ["Api", "task_resources"]

Legacy = Callable[[Mapping[str, Any], Settings, Registry], Submission]

ANY_OBJECT = {"type": "object", "additionalProperties": True}
SUBMITTED = {
    408: "The body came too slowly.",
    410: "This id or key names a job that has ended and was removed.",
    413: "The document is too large.",
    415: "The task does not take this type of document, or the call not this type of body.",
    422: "A field is wrong, or the key was used before with another body; `errors` names what.",
}
KEY = {
    "Idempotency-Key": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "description": "The same key and body again give the same job (draft-ietf-httpapi-idempotency-key-header).",
    },
    "Prefer": {
        "type": "string",
        "description": "`wait=N`: answer with the finished job, if it ends in N s (RFC 7240).",
    },
}
RAW = (
    "The document may also be the body as it is, of any content type that the task takes; `?task=` and the other "
    "fields of the form are in the query then."
)
BODIES = {JSON: shared(JOB_BODY), "multipart/form-data": shared(JOB_FORM), UNNAMED: JOB_DOCUMENT}
TAKEN: Mapping[str, Any] = {
    "bodies": BODIES, "beside": JOB_QUERY, "headers": KEY, "problems": SUBMITTED, "description": RAW,
}  # fmt: skip
THE_JOB = "$response.body#/id"
ACCEPTED = {
    200: Answer("The job, which has ended within the time that `Prefer` names.", JobResource),
    202: Answer(
        "The job is on disk, and will be done.",
        JobResource,
        headers={"Location": "Where the job is."},
        links={
            "job": Link("get_job", {"job_id": THE_JOB}),
            "cancel": Link("cancel_job", {"job_id": THE_JOB}),
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, and what they call."""

    settings: Settings
    registry: Registry
    intake: Intake
    database: Database
    progress: Progress
    insight: Insight
    bodies: Bodies
    answers: Answers

    @property
    def room(self) -> int:
        """How many jobs of a tenant run at a time, unless its row says otherwise; 0: any number."""
        return self.settings.tenant_running

    @operation("Send a job", ACCEPTED, **TAKEN)
    async def create_job(self, request: web.Request) -> web.Response:
        """POST /v1/jobs."""
        return await take_job(request, self.intake, self.bodies, self.answers)

    @operation("Send a job under an id of your own", ACCEPTED, **TAKEN)
    async def put_job(self, request: web.Request, job_id: str) -> web.Response:
        """PUT /v1/jobs/{id}: the client names the job, so that it can repeat the call."""
        return await take_job(request, self.intake, self.bodies, self.answers, named_by(job_id))

    @operation("One job", {200: Answer("It.", JobResource)}, problems=NO_SUCH)
    async def get_job(self, request: web.Request, job_id: str) -> web.Response:
        """GET /v1/jobs/{id}."""
        return as_json(await self.job(caller_of(request).tenant, job_id))

    @operation("Cancel a job", {200: Answer("It, cancelled, or as it had ended.", JobResource)}, problems=NO_SUCH)
    async def cancel_job(self, request: web.Request, job_id: str) -> web.Response:
        """DELETE /v1/jobs/{id}: cancel it; one that has ended stays as it is."""
        await self.cancel(caller_of(request).tenant, job_id)
        return as_json(await self.job(caller_of(request).tenant, job_id))

    @operation("The inbox, newest first", {200: Answer("A page.", NotificationList)}, query=PageQuery, problems=WRONG)
    async def list_notifications(self, request: web.Request) -> web.Response:
        """GET /v1/notifications."""
        return as_json(await self.page_of_notifications(request, PAGE))

    @operation("Mark as read", {200: Answer("The line, read.", NotificationResource)}, problems=NO_SUCH)
    async def read_notification(self, request: web.Request, line: str) -> web.Response:
        """POST /v1/notifications/{id}/read."""
        row = await self.database.write(inbox.mark_read, caller_of(request).tenant, number_of(line) or 0)
        if row is None:
            raise no_such("notification")
        return as_json(present_notification(row))

    @operation("What can be asked for", {200: Answer("All tasks.", TaskList)})
    async def list_tasks(self, request: web.Request) -> web.Response:
        """GET /v1/tasks."""
        return as_json(TaskList(items=task_resources(self.registry, self.settings.default_task)))

    @operation("Agents, lag, model workers", {200: Answer("What runs.", Overview)})
    async def list_agents(self, request: web.Request) -> web.Response:
        """GET /v1/agents."""
        return as_json(await self.insight.overview())

    def push(self, read: Legacy) -> Callable[[web.Request], Awaitable[web.Response]]:
        """POST /kafka/pushToConsumers, with `read` making a submission of any JSON object."""

        @operation(
            "The intake of old clients", {200: Answer("Accepted.", Pushed)}, bodies={JSON: ANY_OBJECT}, problems=WRONG
        )
        async def push(request: web.Request) -> web.Response:
            return await push_job(
                request, self.intake, self.bodies, lambda fields: read(fields, self.settings, self.registry)
            )

        return push

    async def page_of_notifications(self, request: web.Request, size: int) -> NotificationList:
        """The page of the inbox that the query's `cursor` and `limit` name. Raises `Refused`."""
        cursor = request.query.get("cursor")
        before = None if cursor is None else number_of(cursor)
        if cursor is not None and before is None:
            raise Refused(422, "cursor: this is no cursor of this API.", field="cursor")
        return await self.database.read(present_inbox, caller_of(request).tenant, limit_of(request.query, size), before)

    async def job(self, tenant: str, job_id: str) -> JobResource:
        """The whole job. Raises `Refused` with 404."""
        return await found_job(self.database, tenant, job_id, self.room)

    async def cancel(self, tenant: str, job_id: str) -> None:
        """Cancel a job. Raises `Refused` with 404."""
        row = await self._row(tenant, job_id)
        if await self.progress.cancel(Run(row.tenant, row.id, row.run)):
            await self.progress.top_up(self.registry.predictors)

    async def _row(self, tenant: str, job_id: str) -> AnyRow:
        row = await self.database.read(jobs.find, tenant, known(job_id))
        if row is None:
            raise no_such("job")
        return row


def task_resources(registry: Registry, first: str) -> list[TaskResource]:
    """The tasks as the API and the form show them, the default one first."""
    tasks = sorted(registry.values(), key=lambda task: (task.name != first, task.name))
    return [
        TaskResource(
            name=task.name,
            summary=(type(task).__doc__ or "").strip().split("\n")[0],
            accepts=list(task.accepts),
            largest=task.largest,
            params=task.params.model_json_schema(),
        )
        for task in tasks
    ]
