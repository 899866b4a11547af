"""The API's handlers: a request in, a resource out. What they need is given to them by the composition root."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from streamapp.identity import Run
from streamapp.intake.body import Bodies, check_encoding
from streamapp.intake.caller import caller_of
from streamapp.intake.jsontext import parse_any_object
from streamapp.intake.legacy import ANSWER
from streamapp.intake.pace import read_whole
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.intake.submission import Submission, parse_submission
from streamapp.jobs.insight import Insight
from streamapp.jobs.progress import Progress
from streamapp.resources import JobList, JobResource, NotificationList, TaskResource
from streamapp.settings import Settings
from streamapp.store import inbox, jobs, reports
from streamapp.store.cursor import unpack
from streamapp.store.database import Database
from streamapp.store.present import present_inbox, present_job, present_jobs, present_new, present_notification
from streamapp.store.reservations import Reservation
from streamapp.store.sql import AnyRow
from streamapp.tasks.registry import Registry

__all__ = ["Api", "task_resources"]

Legacy = Callable[[Mapping[str, Any], Settings, Registry], Submission]

PAGE, LONGEST_PAGE = 20, 100


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

    @property
    def room(self) -> int:
        """How many jobs of a tenant run at a time, unless its row says otherwise; 0: any number."""
        return self.settings.tenant_running

    async def create_job(self, request: web.Request) -> web.Response:
        """POST /v1/jobs."""
        return await self._take(request)

    async def put_job(self, request: web.Request, job_id: str) -> web.Response:
        """PUT /v1/jobs/{id}: the client names the job, so that it can repeat the call."""
        identity = _uuid(job_id)
        if identity is None:
            raise Refused(422, "The id must be a UUID (RFC 9562).", field="id")
        return await self._take(request, identity)

    async def get_job(self, request: web.Request, job_id: str) -> web.Response:
        """GET /v1/jobs/{id}."""
        return _json(await self.job(caller_of(request).tenant, job_id))

    async def list_jobs(self, request: web.Request) -> web.Response:
        """GET /v1/jobs."""
        return _json(await self.page_of_jobs(request, PAGE))

    async def cancel_job(self, request: web.Request, job_id: str) -> web.Response:
        """DELETE /v1/jobs/{id}: cancel it; one that has ended stays as it is."""
        await self.cancel(caller_of(request).tenant, job_id)
        return _json(await self.job(caller_of(request).tenant, job_id))

    async def get_plot(self, request: web.Request, job_id: str) -> web.Response:
        """GET /v1/jobs/{id}/plot."""
        return await self._file(caller_of(request).tenant, job_id, reports.PLOT)

    async def get_attachment(self, request: web.Request, job_id: str, position: str) -> web.Response:
        """GET /v1/jobs/{id}/attachments/{position}."""
        number = _number(position)
        if not number:
            raise _no_such("attachment")
        return await self._file(caller_of(request).tenant, job_id, number)

    async def list_notifications(self, request: web.Request) -> web.Response:
        """GET /v1/notifications."""
        return _json(await self.page_of_notifications(request, PAGE))

    async def read_notification(self, request: web.Request, line: str) -> web.Response:
        """POST /v1/notifications/{id}/read."""
        row = await self.database.write(inbox.mark_read, caller_of(request).tenant, _number(line) or 0)
        if row is None:
            raise _no_such("notification")
        return _json(present_notification(row))

    async def list_tasks(self, request: web.Request) -> web.Response:
        """GET /v1/tasks."""
        tasks = [task.model_dump() for task in task_resources(self.registry, self.settings.default_task)]
        return web.json_response({"items": tasks})

    async def list_agents(self, request: web.Request) -> web.Response:
        """GET /v1/agents."""
        return _json(await self.insight.overview())

    def push(self, read: Legacy) -> Callable[[web.Request], Awaitable[web.Response]]:
        """POST /kafka/pushToConsumers, with `read` making a submission of any JSON object."""

        async def handler(request: web.Request) -> web.Response:
            check_encoding(request)
            fields = parse_any_object(await read_whole(request, self.settings.upload_timeout_s))
            await self.intake.submit(caller_of(request).tenant, read(fields, self.settings, self.registry))
            return web.json_response(ANSWER)

        return handler

    async def page_of_jobs(self, request: web.Request, size: int) -> JobList:
        """The page of jobs that the query's `cursor` and `limit` name. Raises `Refused`."""
        try:
            after = unpack(request.query["cursor"]) if "cursor" in request.query else None
        except ValueError as error:
            raise Refused(422, f"cursor: {error}.", field="cursor") from error
        return await self.database.read(
            present_jobs, caller_of(request).tenant, _limit(request, size), after, room=self.room
        )

    async def page_of_notifications(self, request: web.Request, size: int) -> NotificationList:
        """The page of the inbox that the query's `cursor` and `limit` name. Raises `Refused`."""
        cursor = request.query.get("cursor")
        before = None if cursor is None else _number(cursor)
        if cursor is not None and before is None:
            raise Refused(422, "cursor: this is no cursor of this API.", field="cursor")
        return await self.database.read(present_inbox, caller_of(request).tenant, _limit(request, size), before)

    async def job(self, tenant: str, job_id: str) -> JobResource:
        """The whole job. Raises `Refused` with 404."""
        job = await self.database.read(present_job, tenant, _known(job_id), whole=True, room=self.room)
        if job is None:
            raise _no_such("job")
        return job

    async def cancel(self, tenant: str, job_id: str) -> None:
        """Cancel a job. Raises `Refused` with 404."""
        row = await self._row(tenant, job_id)
        if await self.progress.cancel(Run(row.tenant, row.id, row.run)):
            await self.progress.top_up(self.registry.predictors)

    async def _row(self, tenant: str, job_id: str) -> AnyRow:
        row = await self.database.read(jobs.find, tenant, _known(job_id))
        if row is None:
            raise _no_such("job")
        return row

    async def _take(self, request: web.Request, job_id: str | None = None) -> web.Response:
        """What POST and PUT have in common. A closed intake says so before a large body is sent in vain."""
        self.intake.check_open()
        tenant, key = caller_of(request).tenant, request.headers.get("Idempotency-Key")
        async with self.bodies.posted(request, tenant, job_id) as posted:
            submission = parse_submission(posted.fields)
            made = await self.intake.submit(tenant, submission, upload=posted.upload, key=key, job_id=job_id)
        return await self._accepted(made)

    async def _accepted(self, made: Reservation) -> web.Response:
        job: JobResource | None
        if made.created:
            job = present_new(made)
        else:
            job = await self.database.read(present_job, made.row.tenant, made.row.id, whole=True, room=self.room)
        response = _json(job, status=202)
        response.headers["Location"] = f"/v1/jobs/{made.row.id}"
        return response

    async def _file(self, tenant: str, job_id: str, position: int) -> web.Response:
        row = await self._row(tenant, job_id)
        file = await self.database.read(reports.file_of, Run(row.tenant, row.id, row.run), position)
        if file is None:
            raise _no_such("plot" if position == reports.PLOT else "attachment")
        kind = "inline" if file.media_type.startswith("image/") and "svg" not in file.media_type else "attachment"
        headers = {"Content-Disposition": kind, "X-Content-Type-Options": "nosniff"}
        return web.Response(body=file.content, content_type=file.media_type, headers=headers)


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


def _json(resource: BaseModel | None, status: int = 200) -> web.Response:
    if resource is None:
        raise _no_such("job")
    return web.Response(text=resource.model_dump_json(), status=status, content_type="application/json")


def _no_such(kind: str) -> Refused:
    return Refused(404, f"There is no such {kind}.")


def _known(job_id: str) -> str:
    """A job's id as the store has it. Raises `Refused` with 404 for what can't be one."""
    identity = _uuid(job_id)
    if identity is None:
        raise _no_such("job")
    return identity


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _limit(request: web.Request, size: int) -> int:
    number = _number(request.query.get("limit", str(size)))
    if number is None or not 1 <= number <= LONGEST_PAGE:
        raise Refused(422, f"limit: a number from 1 to {LONGEST_PAGE}.", field="limit")
    return number
