"""What a job ended in, as resources of their own: the report, its plot and its attachments."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from streamapp.errors import TaskFailed
from streamapp.identity import Run
from streamapp.intake.cached import kept, tag, unchanged
from streamapp.intake.caller import caller_of
from streamapp.intake.handling import NO_SUCH, known, no_such, number_of
from streamapp.intake.operation import Answer, operation
from streamapp.intake.reading import HEADERS, kind_of, shown
from streamapp.intake.refusal import Refused
from streamapp.jobs.partial import Busy, Partial
from streamapp.resources import ReportResource
from streamapp.store import jobs, reports
from streamapp.store.database import Database
from streamapp.store.present import present_partial, present_report
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Results"]

RETRY_S = 30
NONE_YET = {"queued": "it waits for its turn", "succeeded": "it has succeeded, and its report is complete"}
WHY_NONE = {
    "queued": "it waits for its turn",
    "running": "it runs",
    "succeeded": "it was removed just now",
    "failed": "it has failed",
    "cancelled": "it was cancelled",
    "expired": "it has expired",
}

CACHED = {"If-None-Match": {"type": "string", "description": "The ETag of what is there already (RFC 9110, 13.1.2)."}}
TAG = {"ETag": "Of this run and this kind."}
SAME = Answer("It is as it was.")
TEXT = {"type": "string"}
REPORT = {
    200: Answer("The report.", ReportResource, headers=TAG, also={"text/plain": TEXT, "text/html": TEXT}),
    304: SAME,
}
READ = {**NO_SUCH, 406: "It is not there in a kind that `Accept` names."}


def file_of(media_type: str) -> dict[int, Answer]:
    """The answers that are a file."""
    content = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {200: Answer("The file.", content, media_type, headers=TAG), 304: SAME}


@dataclass(frozen=True, slots=True)
class Results:
    """The handlers, and what they call."""

    database: Database
    partial: Partial

    @operation("A job's report", REPORT, headers=CACHED, problems=READ)
    async def get_report(self, request: web.Request, job_id: str, suffix: str | None = None) -> web.Response:
        """GET /v1/jobs/{id}/report, or with .json, .txt or .html behind it."""
        run, made_at = await self._ended(request, job_id)
        kind = kind_of(request, suffix)
        mark = tag(run, made_at, kind)
        if same := unchanged(request, mark, **HEADERS):
            return same
        report = await self.database.read(present_report, run)
        if report is None:
            raise no_such("report")
        return kept(shown(report, kind), mark)

    @operation("A report on what there is so far", REPORT, headers=CACHED, problems=READ)
    async def get_partial(self, request: web.Request, job_id: str) -> web.Response:
        """GET /v1/jobs/{id}/partial: what there is so far of a job that runs, or that ended without a report."""
        row = await self._job(request, job_id)
        kind = kind_of(request, None)
        mark = tag(row.id, row.run, row.status, row.step, row.done, row.finished_at, "partial", kind)
        if request.headers.get("If-None-Match") != "*" and (same := unchanged(request, mark, **HEADERS)):
            return same  # who has the tag has had the report
        report = await self._made(row) if row.status not in NONE_YET else None
        if report is None:
            why = NONE_YET.get(row.status, f"task {row.task} makes none of what there is of it")
            raise Refused(404, f"There is no partial report of this job: {why}.")
        return kept(shown(present_partial(report), kind), mark)

    async def _made(self, row: AnyRow) -> Report | None:
        try:
            return await self.partial.report(row)
        except TaskFailed as error:
            raise Refused(404, f"There is no partial report of this job: {error}.") from error
        except Busy as error:
            raise Refused(503, str(error), retry_after_s=RETRY_S) from error

    @operation("A report's plot", file_of("image/png"), headers=CACHED, problems=NO_SUCH)
    async def get_plot(self, request: web.Request, job_id: str) -> web.Response:
        """GET /v1/jobs/{id}/plot."""
        return await self._file(request, job_id, reports.PLOT)

    @operation("A file of a report", file_of("*/*"), headers=CACHED, problems=NO_SUCH)
    async def get_attachment(self, request: web.Request, job_id: str, position: str) -> web.Response:
        """GET /v1/jobs/{id}/attachments/{position}."""
        number = number_of(position)
        if not number:
            raise no_such("attachment")
        return await self._file(request, job_id, number)

    async def _file(self, request: web.Request, job_id: str, position: int) -> web.Response:
        run, made_at = await self._ended(request, job_id)
        mark = tag(run, made_at, position)
        what = "plot" if position == reports.PLOT else "attachment"
        if not await self.database.read(reports.has_file, run, position):
            raise no_such(what)
        if same := unchanged(request, mark):
            return same
        file = await self.database.read(reports.file_of, run, position)
        if file is None:
            raise no_such(what)
        return kept(_as_file(file), mark)

    async def _ended(self, request: web.Request, job_id: str) -> tuple[Run, float]:
        """The run, and when its report was made. Raises `Refused` with 404 that says why there is none."""
        row = await self._job(request, job_id)
        run = Run(row.tenant, row.id, row.run)
        made_at = await self.database.read(reports.made_at, run)
        if made_at is None:
            raise Refused(404, f"This job has no report: {WHY_NONE[row.status]}.")
        return run, made_at

    async def _job(self, request: web.Request, job_id: str) -> AnyRow:
        row = await self.database.read(jobs.find, caller_of(request).tenant, known(job_id))
        if row is None:
            raise no_such("job")
        return row


def _as_file(file: AnyRow) -> web.Response:
    kind = "inline" if file.media_type.startswith("image/") and "svg" not in file.media_type else "attachment"
    headers = {"Content-Disposition": kind, "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file.content, content_type=file.media_type, headers=headers)
