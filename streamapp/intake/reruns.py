"""Asking for another run of a job that ended without a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from streamapp.intake.answers import Answers
from streamapp.intake.caller import caller_of
from streamapp.intake.handling import NO_SUCH, WRONG, known, no_such, optional_object
from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.service import Intake
from streamapp.intake.submission import Deadline
from streamapp.jobs.retrying import DocumentGone, Retrying
from streamapp.resources import JobResource
from streamapp.store import jobs
from streamapp.store.database import Database
from streamapp.store.reservations import Reservation

__all__ = ["Reruns"]

REASONS = {
    "queued": "it waits for its turn",
    "running": "it runs; cancel it first",
    "succeeded": "it has succeeded, and a result does not change; send the document again for another",
}


class Rerun(BaseModel):
    """What may be different in the next run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    deadline: Deadline | None = None


RETRIED = {
    200: Answer("The job, whose new run has ended within the time that `Prefer` names.", JobResource),
    202: Answer("Its next run is queued.", JobResource, headers={"Location": "Where the job is."}),
}
KEPT = {**NO_SUCH, **WRONG, 409: "It runs, or has succeeded.", 410: "Its document is gone."}


@dataclass(frozen=True, slots=True)
class Reruns:
    """The handler, and what it calls."""

    database: Database
    intake: Intake
    retrying: Retrying
    answers: Answers

    @operation("Try a job again", RETRIED, bodies={JSON: Rerun}, body_required=False, problems=KEPT)
    async def retry_job(self, request: web.Request, job_id: str) -> web.Response:
        """POST /v1/jobs/{id}/retry: the next run of a failed, expired or cancelled job; 409 for any other."""
        made = await self.retry(caller_of(request).tenant, job_id, await optional_object(request))
        return await self.answers.accepted(request, made)

    async def retry(self, tenant: str, job_id: str, fields: dict[str, Any]) -> Reservation:
        """Queue the next run. Raises `Refused`."""
        self.intake.check_open(tenant)
        wished = _read(fields)
        row = await self.database.read(jobs.find, tenant, known(job_id))
        if row is None:
            raise no_such("job")
        deadline = wished.deadline.timestamp() if wished.deadline else None
        try:
            queued = await self.retrying.retry(row, deadline, keep_deadline="deadline" not in wished.model_fields_set)
        except DocumentGone as error:
            raise Refused(410, str(error)) from error
        if queued is None:
            now = await self.database.read(jobs.find, tenant, row.id)
            status = now.status if now else row.status
            raise Refused(409, f"This job can't be tried again: {REASONS.get(status, 'it changed just now')}.")
        return Reservation(queued, created=False, same=True)


def _read(fields: dict[str, Any]) -> Rerun:
    try:
        return Rerun.model_validate(fields)
    except ValidationError as error:
        raise from_validation(error, known=Rerun.model_fields) from error
