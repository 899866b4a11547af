"""How a request for work is answered: 202 with the job as it is now, or under `Prefer: wait=N` 200 with its end."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from streamapp.identity import Run
from streamapp.intake.asked import Asked
from streamapp.intake.handling import as_json, no_such
from streamapp.intake.prefer import Preference, preference
from streamapp.jobs.endings import Endings
from streamapp.resources import JobResource
from streamapp.store.database import Database
from streamapp.store.jobs import ACTIVE
from streamapp.store.present import present_job, present_new
from streamapp.store.reservations import Reservation
from streamapp.store.sql import AnyRow

__all__ = ["Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers for jobs that were accepted; `room` is how many of a tenant run at a time, unless its row says.

    Without `endings` nobody is kept waiting: a wait is not granted, which RFC 7240 allows.
    """

    database: Database
    endings: Endings | None
    room: int = 0

    async def accepted(self, request: Asked, made: Reservation) -> web.Response:
        """202, or 200 with the finished job when the client waits for it and it ends in time."""
        if "Prefer" not in request.headers:
            return _located(present_new(made) if made.created else await self._job(made.row), 202)
        wished = preference(request.headers.getall("Prefer"))
        if self.endings is None or wished.wait_s is None:
            wished = Preference(None, wished.respond_async)
            job = present_new(made) if made.created else await self._job(made.row)
            return _preferred(job, wished, ended=False)
        row = made.row
        if row.status in ACTIVE:
            await self.endings.wait(Run(row.tenant, row.id, row.run), wished.wait_s, lambda: request.transport is None)
        job = await self._job(row)
        return _preferred(job, wished, ended=job.status not in ACTIVE)

    async def _job(self, row: AnyRow) -> JobResource:
        job = await self.database.read(present_job, row.tenant, row.id, whole=True, room=self.room)
        if job is None:
            raise no_such("job")  # removed meanwhile
        return job


def _preferred(job: JobResource, wished: Preference, *, ended: bool) -> web.Response:
    response = _located(job, 200 if ended else 202)
    if applied := wished.applied(ended):
        response.headers["Preference-Applied"] = applied
    return response


def _located(job: JobResource, status: int) -> web.Response:
    response = as_json(job, status)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return response
