"""The pages' handlers: they call what the API's handlers call, and answer with HTML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from streamapp.identity import Run
from streamapp.intake.caller import CALLER, LOCAL, caller_of
from streamapp.intake.handling import number_of
from streamapp.intake.http import Api, task_resources
from streamapp.intake.listing import Listing
from streamapp.intake.refusal import Refused
from streamapp.intake.reruns import Reruns
from streamapp.intake.sites import refuse_other_sites
from streamapp.resources import JobResource, Problem, TaskResource
from streamapp.store import dead_letters, inbox, reports
from streamapp.tasks.contract import Step
from streamapp.ui.chosen import as_fields, is_option
from streamapp.ui.narrowed import SHOWN, asked, listed
from streamapp.ui.pages import CONTENT_SECURITY_POLICY, Pages, assets
from streamapp.ui.picture import HEAD, size_of

__all__ = ["PageViews", "html"]

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class PageViews:
    """The handlers, and what they call."""

    api: Api
    pages: Pages
    reruns: Reruns
    listing: Listing

    async def home(self, request: web.Request) -> web.Response:
        """GET /?status=&task=&limit=&cursor=, as `GET /v1/jobs` takes them."""
        return await self._home(request)

    async def submit(self, request: web.Request) -> web.Response:
        """POST /ui/jobs: accept the form and show the job; or the form again, with what is wrong."""
        self._refuse_other_sites(request)
        tenant = caller_of(request).tenant
        async with self.api.bodies.posted(request, tenant, also=is_option) as posted:
            try:
                fields = as_fields(posted.fields, self._task(posted.fields.get("task")))
                submission = posted.submission(fields, self.api.intake.tasks)
                made = await self.api.intake.submit(tenant, submission, upload=posted.upload)
            except Refused as refused:
                return await self._home(request, refused.problem, _kept(posted.fields))
        raise web.HTTPSeeOther(f"/jobs/{made.row.id}")

    async def job(self, request: web.Request, job_id: str) -> web.Response:
        """GET /jobs/{id}."""
        caller = caller_of(request)
        job, unread = await self.api.job(caller.tenant, job_id), await self._unread(request)
        may, plot = self._makes_partials(job.task), await self._plot_size(caller.tenant, job)
        return html(self.pages.job(job, unread, caller, partial=may, plot_size=plot))

    async def cancel(self, request: web.Request, job_id: str) -> web.Response:
        """POST /ui/jobs/{id}/cancel."""
        self._refuse_other_sites(request)
        await self.api.cancel(caller_of(request).tenant, job_id)
        raise web.HTTPSeeOther(f"/jobs/{job_id}")

    async def retry(self, request: web.Request, job_id: str) -> web.Response:
        """POST /ui/jobs/{id}/retry."""
        self._refuse_other_sites(request)
        await self.reruns.retry(caller_of(request).tenant, job_id, {})
        raise web.HTTPSeeOther(f"/jobs/{job_id}")

    async def inbox(self, request: web.Request) -> web.Response:
        """GET /inbox."""
        return html(self.pages.inbox(await self.api.page_of_notifications(request, SHOWN), caller_of(request)))

    async def read(self, request: web.Request, line: str) -> web.Response:
        """POST /ui/notifications/{id}/read."""
        self._refuse_other_sites(request)
        await self.api.read_notification(request, line)
        raise web.HTTPSeeOther("/inbox")

    async def read_all(self, request: web.Request) -> web.Response:
        """POST /ui/notifications/read?up_to=: what the page showed when it was sent, and what is older."""
        self._refuse_other_sites(request)
        up_to = number_of(request.query.get("up_to", ""))
        if up_to is None:
            raise Refused(422, "up_to: the number of the newest line to mark as read.", field="up_to")
        await self.api.database.write(inbox.mark_all_read, caller_of(request).tenant, up_to)
        raise web.HTTPSeeOther("/inbox")

    async def agents(self, request: web.Request) -> web.Response:
        """GET /agents."""
        caller, overview = caller_of(request), await self.api.insight.overview()
        dead = await self.api.database.read(dead_letters.count_open, caller.sees)
        return html(self.pages.agents(overview, await self._unread(request), caller, dead=dead))

    def docs(self, document: Mapping[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
        """GET /docs: `document` is the API's OpenAPI description."""

        async def handler(request: web.Request) -> web.Response:
            return html(self.pages.docs(document, await self._unread(request), caller_of(request)))

        return handler

    async def asset(self, request: web.Request, name: str) -> web.Response:
        """GET /assets/{name}."""
        if name not in assets():
            raise web.HTTPNotFound
        content, media_type = assets()[name]
        headers = {"Content-Type": media_type, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=content, headers=headers)

    async def problem(self, request: web.Request, problem: Problem) -> web.Response:
        """What went wrong, for people; without a key, the page that takes one."""
        if problem.status == HTTPStatus.UNAUTHORIZED:
            after = request.path_qs if request.method == "GET" else "/"
            return html(self.pages.login(after), problem.status)
        return html(self.pages.problem(problem, 0, request.get(CALLER, LOCAL)), problem.status)

    async def _home(
        self, request: web.Request, problem: Problem | None = None, form: dict[str, str] | None = None
    ) -> web.Response:
        caller, query = caller_of(request), asked(request.query)
        jobs = await self.listing.page(caller.tenant, listed(query), SHOWN)
        page = self.pages.home(jobs, self._tasks(), await self._unread(request), problem, form, caller, query=query)
        return html(page, problem.status if problem else 200)

    async def _plot_size(self, tenant: str, job: JobResource) -> tuple[int, int] | None:
        if job.report is None or job.report.plot is None:
            return None
        run = Run(tenant, job.id, job.run)
        return size_of(await self.api.database.read(reports.head_of, run, reports.PLOT, HEAD))

    def _makes_partials(self, name: str) -> bool:
        task = self.api.registry.get(name)
        return task is not None and any(type(step).partial is not Step.partial for step in task.steps)

    def _tasks(self) -> list[TaskResource]:
        return task_resources(self.api.registry, self.api.settings.default_task)

    def _task(self, name: object) -> TaskResource | None:
        return next((task for task in self._tasks() if task.name == name), None)

    def _refuse_other_sites(self, request: web.Request) -> None:
        refuse_other_sites(request, self.api.settings.link_base)

    async def _unread(self, request: web.Request) -> int:
        return await self.api.database.read(inbox.unread, caller_of(request).tenant)


def _kept(fields: Mapping[str, Any]) -> dict[str, str]:
    """What fills the form again: all but the file, which browsers do not take back."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, str) and (name in ("task", "text", "email") or is_option(name))
    }


def html(page: str, status: int = 200) -> web.Response:
    """A page as an answer."""
    return web.Response(text=page, status=status, content_type="text/html", headers=HEADERS)
