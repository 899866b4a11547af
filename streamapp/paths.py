"""Where everything is: each path with what answers it, and what that needs of a key. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from streamapp.intake.access import Need
from streamapp.intake.allowed import Allowed
from streamapp.intake.bulk import Bulk
from streamapp.intake.erasing import Erasing
from streamapp.intake.http import Api
from streamapp.intake.legacy import legacy_submission
from streamapp.intake.listing import Listing
from streamapp.intake.notices import Notices
from streamapp.intake.openapi import served
from streamapp.intake.operators import Operators
from streamapp.intake.probes import Probes
from streamapp.intake.reruns import Reruns
from streamapp.intake.results import Results
from streamapp.intake.streams import Streams
from streamapp.ui.login import LoginViews
from streamapp.ui.views import PageViews

__all__ = ["Handler", "Jobs", "Route", "api_routes", "page_routes"]

Handler = Callable[..., Awaitable[web.StreamResponse]]

#: What a route needs, by method: of the keys' scopes, unless it says otherwise.
USUAL: Mapping[str, Need] = {"get": "read", "head": "read", "post": "submit", "put": "submit", "delete": "submit"}
READ: Mapping[str, Need] = {"get": "read", "post": "read"}
ADMIN: Mapping[str, Need] = {"get": "admin", "post": "admin"}
OPERATOR: Mapping[str, Need] = {"get": "operator", "post": "operator"}
OPEN: Mapping[str, Need] = {"get": "nothing", "post": "nothing"}


@dataclass(frozen=True, slots=True)
class Jobs:
    """The handlers for jobs that were accepted, and for what the inbox says of them."""

    listing: Listing
    reruns: Reruns
    results: Results
    erasing: Erasing
    allowed: Allowed
    bulk: Bulk
    notices: Notices


@dataclass(frozen=True, slots=True)
class Route:
    """A path, what answers its methods, and what they need of a key.

    `sends`: its POST and PUT take new jobs; `told`: it is described, and not another spelling of what is.
    """

    path: str
    name: str
    methods: Mapping[str, Handler]
    cors: bool = False
    needs: Mapping[str, Need] = field(default_factory=lambda: USUAL)
    sends: bool = False
    told: bool = True


def api_routes(api: Api, jobs: Jobs, streams: Streams, probes: Probes, operators: Operators) -> list[Route]:
    """The API, which is described."""
    return _jobs(jobs, api) + _api(api) + _streams(streams) + _probes(probes) + _operators(operators)


def page_routes(pages: PageViews, login: LoginViews, document: Mapping[str, Any]) -> list[Route]:
    """The pages, and the description of the API."""
    return _described(document, pages) + _pages(pages) + _login(login)


def _api(api: Api) -> list[Route]:
    return [
        Route(
            "/v1/jobs/{job_id}",
            "job",
            {"get": api.get_job, "put": api.put_job, "delete": api.cancel_job},
            cors=True,
            sends=True,
        ),
        Route("/v1/notifications", "notifications", {"get": api.list_notifications}, cors=True),
        Route("/v1/notifications/{line}/read", "read", {"post": api.read_notification}, cors=True, needs=READ),
        Route("/v1/tasks", "tasks", {"get": api.list_tasks}, cors=True),
        Route("/v1/agents", "agents", {"get": api.list_agents}, cors=True, needs=ADMIN),
        Route("/kafka/pushToConsumers", "push", {"post": api.push(legacy_submission)}, cors=True, sends=True),
    ]


def _jobs(jobs: Jobs, api: Api) -> list[Route]:
    results = jobs.results
    return [
        # before what takes any id
        Route("/v1/jobs/cancel", "cancel-jobs", {"post": jobs.bulk.cancel_jobs}, needs=ADMIN),
        Route("/v1/jobs/retry", "retry-jobs", {"post": jobs.bulk.retry_jobs}, needs=ADMIN),
        Route("/v1/audit", "audit", {"get": jobs.bulk.list_audit}, needs=ADMIN),
        Route("/v1/jobs", "jobs", {"get": jobs.listing.list_jobs, "post": api.create_job}, cors=True, sends=True),
        Route("/v1/limits", "limits", {"get": jobs.allowed.get_limits}, cors=True),
        Route("/v1/notifications/read", "read-all", {"post": jobs.notices.read_notifications}, cors=True, needs=READ),
        Route("/v1/jobs/{job_id}/retry", "retry", {"post": jobs.reruns.retry_job}, cors=True),
        Route("/v1/jobs/{job_id}/data", "data", {"delete": jobs.erasing.delete_data}, cors=True),
        Route("/v1/jobs/{job_id}/report", "report", {"get": results.get_report}, cors=True),
        Route("/v1/jobs/{job_id}/report.{suffix}", "report-as", {"get": results.get_report}, cors=True, told=False),
        Route("/v1/jobs/{job_id}/partial", "partial", {"get": results.get_partial}, cors=True),
        Route("/v1/jobs/{job_id}/plot", "plot", {"get": results.get_plot}, cors=True),
        Route("/v1/jobs/{job_id}/attachments/{position}", "attachment", {"get": results.get_attachment}, cors=True),
    ]


def _streams(streams: Streams) -> list[Route]:
    """HEAD has handlers of its own: it must not open a stream."""
    of_job = {"get": streams.job_events, "head": streams.head_of_job}
    of_tenant = {"get": streams.tenant_events, "head": streams.head}
    of_inbox = {"get": streams.inbox_events, "head": streams.head}
    return [
        Route("/v1/jobs/{job_id}/events", "job-events", of_job, cors=True),
        Route("/v1/events", "events", of_tenant, cors=True),
        Route("/v1/notifications/stream", "inbox-stream", of_inbox, cors=True),
    ]


def _probes(probes: Probes) -> list[Route]:
    return [
        Route("/healthz", "health", {"get": probes.health}, needs=OPEN),
        Route("/readyz", "ready", {"get": probes.ready}, needs=OPEN),
        Route("/metrics", "metrics", {"get": probes.metrics}, needs=OPERATOR),
    ]


def _operators(operators: Operators) -> list[Route]:
    return [
        Route("/v1/dead-letters", "dead-letters", {"get": operators.list_letters}, needs=ADMIN),
        Route("/v1/dead-letters/redrive", "redrive-letters", {"post": operators.redrive_letters}, needs=ADMIN),
        Route("/v1/dead-letters/discard", "discard-letters", {"post": operators.discard_letters}, needs=ADMIN),
        Route(r"/v1/dead-letters/{letter:\d+}", "dead-letter", {"get": operators.show_letter}, needs=ADMIN),
        Route(
            r"/v1/dead-letters/{letter:\d+}/redrive", "redrive-letter", {"post": operators.redrive_letter}, needs=ADMIN
        ),
        Route(
            r"/v1/dead-letters/{letter:\d+}/discard", "discard-letter", {"post": operators.discard_letter}, needs=ADMIN
        ),
        Route("/v1/deliveries/parked", "parked", {"get": operators.list_parked}, needs=ADMIN),
        Route("/v1/deliveries/{delivery}/{how}", "settle", {"post": operators.settle}, needs=ADMIN),
    ]


def _described(document: Mapping[str, Any], pages: PageViews) -> list[Route]:
    return [
        Route("/openapi.json", "openapi", {"get": served(document)}, cors=True),
        Route("/docs", "docs", {"get": pages.docs(document)}),
    ]


def _pages(pages: PageViews) -> list[Route]:
    return [
        Route("/", "home-page", {"get": pages.home}),
        Route("/jobs/{job_id}", "job-page", {"get": pages.job}),
        Route("/inbox", "inbox-page", {"get": pages.inbox}),
        Route("/agents", "agents-page", {"get": pages.agents}, needs=ADMIN),
        Route("/assets/{name}", "asset", {"get": pages.asset}, needs=OPEN),
        Route("/ui/jobs", "submit", {"post": pages.submit}, sends=True),
        Route("/ui/jobs/{job_id}/cancel", "cancel", {"post": pages.cancel}),
        Route("/ui/jobs/{job_id}/retry", "retry-page", {"post": pages.retry}),
        Route("/ui/notifications/read", "read-all-page", {"post": pages.read_all}, needs=READ),
        Route("/ui/notifications/{line}/read", "read-page", {"post": pages.read}, needs=READ),
    ]


def _login(login: LoginViews) -> list[Route]:
    return [
        Route("/login", "login", {"get": login.show, "post": login.log_in}, needs=OPEN),
        Route("/logout", "logout", {"post": login.log_out}, needs=OPEN),
    ]
