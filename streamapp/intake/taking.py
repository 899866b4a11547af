"""What every intake does with a request for work, and with one for a job, whatever server it came through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from streamapp.intake.answers import Answers
from streamapp.intake.asked import Asked
from streamapp.intake.body import Bodies
from streamapp.intake.caller import caller_of
from streamapp.intake.handling import known, no_such, uuid_of
from streamapp.intake.jsontext import parse_any_object
from streamapp.intake.legacy import ANSWER
from streamapp.intake.packed import check_encoding, parsed
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.intake.submission import Submission
from streamapp.resources import JobResource
from streamapp.store.database import Database
from streamapp.store.present import present_job

__all__ = ["found_job", "named_by", "push_job", "take_job"]


async def take_job(
    request: Asked, intake: Intake, bodies: Bodies, answers: Answers, job_id: str | None = None
) -> web.Response:
    """Accept what is posted. A closed intake says so before a large body is sent in vain. Raises `Refused`."""
    tenant, key = caller_of(request).tenant, request.headers.get("Idempotency-Key")
    intake.check_open(tenant)
    async with bodies.posted(request, tenant, job_id) as posted:
        submission = posted.submission(posted.fields, intake.tasks)
        made = await intake.submit(tenant, submission, upload=posted.upload, key=key, job_id=job_id)
    return await answers.accepted(request, made)


def named_by(job_id: str) -> str:
    """The id that a client gives its job. Raises `Refused` with 422."""
    identity = uuid_of(job_id)
    if identity is None:
        raise Refused(422, "The id must be a UUID (RFC 9562).", field="id")
    return identity


async def push_job(
    request: Asked, intake: Intake, bodies: Bodies, read: Callable[[Mapping[str, Any]], Submission]
) -> web.Response:
    """Accept any JSON object, as old clients post it; `read` makes a submission of it. Raises `Refused`."""
    packed = check_encoding(request)
    fields = parsed(await bodies.whole(request), packed, parse_any_object)
    await intake.submit(caller_of(request).tenant, read(fields))
    return web.json_response(ANSWER)


async def found_job(database: Database, tenant: str, job_id: str, room: int) -> JobResource:
    """The whole job. Raises `Refused` with 404."""
    job = await database.read(present_job, tenant, known(job_id), whole=True, room=room)
    if job is None:
        raise no_such("job")
    return job
