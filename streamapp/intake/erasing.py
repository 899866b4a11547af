"""Asking for a finished job to be deleted, with all that it stored."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import known, no_such
from streamapp.intake.refusal import Refused
from streamapp.jobs.purging import Purging
from streamapp.store import jobs
from streamapp.store.database import Database

__all__ = ["Erasing"]


@dataclass(frozen=True, slots=True)
class Erasing:
    """The handler, and what it calls."""

    database: Database
    purging: Purging

    async def delete_data(self, request: web.Request, job_id: str) -> web.Response:
        """DELETE /v1/jobs/{id}/data: 204 when nothing of it is left but that there was such a job."""
        row = await self.database.read(jobs.find, caller_of(request).tenant, known(job_id))
        if row is None:
            raise no_such("job")
        if not await self.purging.purge(row):
            raise Refused(409, f"This job has not ended; cancel it first: DELETE /v1/jobs/{row.id}.")
        return web.Response(status=204)
