"""Asking for a finished job to be deleted, with all that it stored."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import NO_SUCH, known, no_such
from streamapp.intake.operation import Answer, operation
from streamapp.intake.refusal import Refused
from streamapp.jobs.purging import Purging
from streamapp.store import jobs
from streamapp.store.database import Database

__all__ = ["Erasing"]


KEPT = {**NO_SUCH, 409: "It has not ended yet."}


@dataclass(frozen=True, slots=True)
class Erasing:
    """The handler, and what it calls."""

    database: Database
    purging: Purging

    @operation("Delete a finished job with all that it stored", {204: Answer("It is gone.")}, problems=KEPT)
    async def delete_data(self, request: web.Request, job_id: str) -> web.Response:
        """DELETE /v1/jobs/{id}/data: 204 when nothing of it is left but that there was such a job."""
        row = await self.database.read(jobs.find, caller_of(request).tenant, known(job_id))
        if row is None:
            raise no_such("job")
        if not await self.purging.purge(row):
            raise Refused(409, f"This job has not ended; cancel it first: DELETE /v1/jobs/{row.id}.")
        return web.Response(status=204)
