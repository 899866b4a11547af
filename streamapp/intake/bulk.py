"""Cancel and retry by filter, for admins: a bounded number of jobs a call, and a log of what was done."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from streamapp.intake.caller import Caller, caller_of
from streamapp.intake.handling import LONGEST_PAGE, WRONG, as_json, cursor_of, limit_of, number_of, read_object
from streamapp.intake.listing import JobFilter, parse_filter
from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.query import PageQuery
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.jobs.many import Many
from streamapp.store import audit
from streamapp.store.bulk import By
from streamapp.store.cursor import Cursor, pack
from streamapp.store.database import Database
from streamapp.store.jobs import ACTIVE
from streamapp.store.listing import Wanted, matching
from streamapp.store.retrying import RETRIABLE
from streamapp.store.sql import AnyRow

__all__ = ["AuditList", "AuditResource", "Bulk", "BulkResource"]

BESIDE = ("cursor", "dry_run", "limit")
USUAL = ("failed", "expired")  # what is tried again unless the filter says: who cancelled a job meant it
Work = Callable[[Sequence[AnyRow], By], Awaitable[list[str]]]


class BulkResource(BaseModel):
    """What a call did, or would do under ``dry_run``."""

    dry_run: bool
    matched: int = Field(description="Jobs that this call looked at.")
    changed: int = Field(description="Those among them that were changed; 0 under dry_run.")
    ids: list[str] = Field(description="The jobs that were changed, or would be.")
    next: str | None = Field(description="The cursor of the next call; null when there are no more.")


class AuditResource(BaseModel):
    """A line of the log."""

    id: int
    at: datetime
    tenant: str
    key: str | None = Field(description="The id of the key that was used; null where none are asked for.")
    what: str
    filter: dict[str, Any]
    changed: int


class AuditList(BaseModel):
    """A page of the log, newest first."""

    items: list[AuditResource]
    next: str | None


class BulkBody(JobFilter):
    """Which jobs, how many at a time, and whether to do it."""

    dry_run: bool = Field(False, description="Only say which.")
    limit: int = Field(LONGEST_PAGE, ge=1, le=LONGEST_PAGE, description="Jobs that this call looks at.")
    cursor: str | None = Field(None, description="`next` of the call before.")


DONE = Answer("What was done, or would be.", BulkResource)


@dataclass(frozen=True, slots=True)
class Bulk:
    """The handlers, and what they call."""

    database: Database
    intake: Intake
    many: Many

    @operation("Cancel all that match", {200: DONE}, bodies={JSON: BulkBody}, problems=WRONG)
    async def cancel_jobs(self, request: web.Request) -> web.Response:
        """POST /v1/jobs/cancel: all open jobs that match the body's filter."""
        return await self._do(request, ACTIVE, ACTIVE, self.many.cancel)

    @operation("Try all again that match", {200: DONE}, bodies={JSON: BulkBody}, problems=WRONG)
    async def retry_jobs(self, request: web.Request) -> web.Response:
        """POST /v1/jobs/retry: all failed and expired jobs that match the body's filter."""
        self.intake.check_open(caller_of(request).tenant)
        return await self._do(request, USUAL, RETRIABLE, self.many.retry)

    @operation("What was done to many", {200: Answer("A page.", AuditList)}, query=PageQuery, problems=WRONG)
    async def list_audit(self, request: web.Request) -> web.Response:
        """GET /v1/audit?limit=&cursor=."""
        caller = _admin(request)
        limit, cursor = limit_of(request.query, LONGEST_PAGE), request.query.get("cursor")
        before = None if cursor is None else number_of(cursor)
        if cursor is not None and before is None:
            raise Refused(422, "cursor: this is no cursor of this API.", field="cursor")
        rows = await self.database.read(audit.newest, caller.tenant, limit + 1, before)
        items = [_line(row) for row in rows[:limit]]
        return as_json(AuditList(items=items, next=str(items[-1].id) if len(rows) > limit else None))

    async def _do(
        self, request: web.Request, usual: tuple[str, ...], possible: tuple[str, ...], work: Work
    ) -> web.Response:
        caller, fields = _admin(request), await read_object(request)
        dry_run, limit, after = _how(fields)
        wanted = parse_filter(fields, BESIDE).wanted()
        _check(wanted, possible)
        wanted = replace(wanted, statuses=wanted.statuses or usual)
        found = await self.database.read(matching, caller.tenant, wanted, limit + 1, after)
        rows = found[:limit]
        said = {name: value for name, value in fields.items() if name not in BESIDE}
        ids = [row.id for row in rows] if dry_run else await work(rows, By(caller.tenant, caller.key, said))
        goes_on = pack(Cursor(rows[-1].created_at, rows[-1].id)) if len(found) > limit else None
        changed = 0 if dry_run else len(ids)
        return as_json(BulkResource(dry_run=dry_run, matched=len(rows), changed=changed, ids=ids, next=goes_on))


def _admin(request: web.Request) -> Caller:
    caller = caller_of(request)
    if "admin" not in caller.scopes:
        raise Refused(403, "This needs a key with the scope admin.")
    return caller


def _how(fields: dict[str, Any]) -> tuple[bool, int, Cursor | None]:
    dry_run, limit, cursor = fields.get("dry_run", False), fields.get("limit", LONGEST_PAGE), fields.get("cursor")
    if not isinstance(dry_run, bool):
        raise Refused(422, "dry_run: true or false.", field="dry_run")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= LONGEST_PAGE:
        raise Refused(422, f"limit: a number from 1 to {LONGEST_PAGE}.", field="limit")
    if not isinstance(cursor, str | None):
        raise Refused(422, "cursor: this is no cursor of this API.", field="cursor")
    return dry_run, limit, cursor_of(cursor)


def _check(wanted: Wanted, possible: tuple[str, ...]) -> None:
    if wanted == Wanted():
        raise Refused(422, 'Say which jobs: a filter, if only {"status": …}.', field="status")
    if wrong := [status for status in wanted.statuses if status not in possible]:
        raise Refused(422, f"status: {wrong[0]} jobs can't be; only {', '.join(possible)}.", field="status")


def _line(row: AnyRow) -> AuditResource:
    return AuditResource(
        id=row.id,
        at=datetime.fromtimestamp(row.at, UTC),
        tenant=row.tenant,
        key=row.key,
        what=row.what,
        filter=json.loads(row.filter),
        changed=row.changed,
    )
