"""Rows as the resources that the API, the pages and the e-mails show."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.operator_resources import DeadLetterResource, WorkerResource
from streamapp.resources import (
    DeliveryResource,
    FileResource,
    JobList,
    JobResource,
    NotificationList,
    NotificationResource,
    Progress,
    ReportResource,
)
from streamapp.store import inbox, jobs, ledger, listing, reports, workers
from streamapp.store.cursor import Cursor, pack
from streamapp.store.forecast import outlook
from streamapp.store.listing import Wanted
from streamapp.store.reservations import Reservation
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = [
    "present_dead_letter",
    "present_delivery",
    "present_inbox",
    "present_job",
    "present_jobs",
    "present_new",
    "present_notification",
    "present_partial",
    "present_report",
    "present_workers",
]


def present_job(connection: Connection, tenant: str, job: str, *, whole: bool, room: int = 0) -> JobResource | None:
    """A job; `whole` with its report and its deliveries. None when the tenant has no such job.

    `room` is how many jobs a tenant runs at a time unless its row says otherwise, 0 for any number.
    """
    row = jobs.find(connection, tenant, job)
    if row is None:
        return None
    resource = _job(connection, row, room)
    if whole:
        run = Run(row.tenant, row.id, row.run)
        resource.report = present_report(connection, run)
        resource.deliveries = [present_delivery(each) for each in ledger.of_job(connection, run)]
    return resource


def present_new(made: Reservation) -> JobResource:
    """A job that was reserved just now: all that there is to show, without reading anything."""
    return _resource(made.row, made.position, None)


def present_jobs(
    connection: Connection, tenant: str, wanted: Wanted, limit: int, after: Cursor | None = None, *, room: int = 0
) -> JobList:
    """A page of a tenant's jobs, newest first; with their deliveries where the filter asks about mail."""
    rows = listing.matching(connection, tenant, wanted, limit + 1, after)
    page = rows[:limit]
    items = [_job(connection, row, room) for row in page]
    if wanted.asks_for_mail:
        for item, sent in zip(items, listing.deliveries_of(connection, page).values(), strict=True):
            item.deliveries = [present_delivery(each) for each in sent]
    more = len(rows) > limit
    return JobList(items=items, next=pack(Cursor(page[-1].created_at, page[-1].id)) if more else None)


def present_inbox(connection: Connection, tenant: str, limit: int, before: int | None = None) -> NotificationList:
    """A page of a tenant's inbox, newest first."""
    rows = inbox.newest(connection, tenant, limit + 1, before)
    page = rows[:limit]
    return NotificationList(
        items=[present_notification(row) for row in page],
        unread=inbox.unread(connection, tenant),
        next=str(page[-1].id) if len(rows) > limit else None,
    )


def present_notification(row: AnyRow) -> NotificationResource:
    """A line of the inbox."""
    return NotificationResource(
        id=row.id,
        job_id=row.job,
        event=row.event,
        title=row.title,
        body=row.body,
        created_at=_time(row.created_at),
        read_at=_maybe_time(row.read_at),
    )


def present_workers(connection: Connection) -> list[WorkerResource]:
    """The model workers that live."""
    return [
        WorkerResource(
            id=row.id,
            host=row.host,
            pid=row.pid,
            device=row.device,
            predictors=json.loads(row.predictors),
            items=row.items_done,
            rate=row.items_done / row.seconds_busy if row.seconds_busy else None,
            seen_s=max(0.0, row.seen_s),
        )
        for row in workers.alive(connection)
    ]


def _job(connection: Connection, row: AnyRow, room: int) -> JobResource:
    seen = outlook(connection, row, room)
    return _resource(row, seen.position, seen.eta_s)


def _resource(row: AnyRow, position: int | None, eta_s: float | None) -> JobResource:
    return JobResource(
        id=row.id,
        run=row.run,
        task=row.task,
        name=row.name,
        email=row.email,
        webhook=row.webhook,
        params=json.loads(row.params),
        priority=row.priority,
        deadline=_maybe_time(row.deadline),
        status=row.status,
        progress=Progress(done=row.done, total=row.total),
        position=position,
        eta_s=eta_s,
        created_at=_time(row.created_at),
        started_at=_maybe_time(row.started_at),
        finished_at=_maybe_time(row.finished_at),
        report=None,
        deliveries=[],
        error=row.error,
        remembered=row.remembered,
        remembered_at=_maybe_time(row.remembered_at),
    )


def present_report(connection: Connection, run: Run) -> ReportResource | None:
    """What a run ended in, without the files' contents; None when it has no report."""
    row = reports.row_of(connection, run)
    if row is None:
        return None
    files = [_file(run, each) for each in reports.files_of(connection, run)]
    plot = files.pop(0) if row.plot_alt is not None else None
    return ReportResource(
        subject=row.subject,
        text=row.text,
        html=row.html,
        data=json.loads(row.data),
        plot=plot,
        plot_alt=row.plot_alt,
        attachments=files,
    )


def present_partial(report: Report) -> ReportResource:
    """A report that is stored nowhere: its files have no address, and so are not shown."""
    return ReportResource(
        subject=report.subject,
        text=report.text,
        html=report.html,
        data=report.data,
        plot=None,
        plot_alt=None,
        attachments=[],
    )


def _file(run: Run, row: AnyRow) -> FileResource:
    place = "plot" if row.position == reports.PLOT else f"attachments/{row.position}"
    return FileResource(name=row.name, media_type=row.media_type, size=row.size, href=f"/v1/jobs/{run.job}/{place}")


def present_delivery(row: AnyRow) -> DeliveryResource:
    """One delivery."""
    return DeliveryResource(
        id=row.id,
        job_id=row.job,
        kind=row.kind,
        recipient=row.recipient,
        state=row.state,
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=_maybe_time(row.next_attempt_at) if row.state == "pending" else None,
        sent_at=_maybe_time(row.sent_at),
    )


def present_dead_letter(row: AnyRow) -> DeadLetterResource:
    """A dead letter, without its bytes."""
    return DeadLetterResource(
        id=row.id,
        state=row.state,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        delivery=row.delivery,
        job_id=row.job,
        reason=row.reason,
        attempts=row.attempts,
        first_seen=_time(row.first_seen),
        last_seen=_time(row.last_seen),
        size=None if row.value is None else len(row.value),
        value=None,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)
