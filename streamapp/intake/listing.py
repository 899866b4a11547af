"""Which jobs are meant: the filter of `GET /v1/jobs`, and of what is done to many at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import LONGEST_PAGE, PAGE, WRONG, as_json, cursor_of, limit_of
from streamapp.intake.operation import Answer, operation
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.submission import checked_email, one_line, rfc3339
from streamapp.resources import JobList, Status
from streamapp.store.database import Database
from streamapp.store.listing import Wanted
from streamapp.store.present import present_jobs

__all__ = ["JobFilter", "JobQuery", "Listing", "parse_filter"]

PAGING = ("cursor", "limit")
LONGEST = 500  # characters
Time = Annotated[AwareDatetime, BeforeValidator(rfc3339)]


def _several(value: Any) -> Any:
    """One status, several with commas between them, or a list of such."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("a status, or several")
    return tuple(each.strip() for part in parts for each in part.split(","))


class JobFilter(BaseModel):
    """Jobs that match all that is given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    status: Annotated[tuple[Status, ...], BeforeValidator(_several)] = Field(
        (), description="Of one of these statuses."
    )
    task: Annotated[str, Field(max_length=LONGEST), AfterValidator(one_line)] | None = Field(
        None, description="Of this task."
    )
    created_after: Time | None = Field(None, description="Accepted at this time or later (RFC 3339).")
    created_before: Time | None = Field(None, description="Accepted before this time (RFC 3339).")
    email: Annotated[str, Field(max_length=LONGEST), AfterValidator(checked_email)] | None = Field(
        None, description="Whose result is sent to this address."
    )
    error: Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(one_line)] | None = Field(
        None, description="Whose error holds these words."
    )
    delivery: Literal["pending", "sending", "sent", "parked", "dead"] | None = Field(
        None, description="Whose e-mail is in this state."
    )

    def wanted(self) -> Wanted:
        """The same for the store."""
        since, until = self.created_after, self.created_before
        return Wanted(
            self.status,
            self.task,
            since.timestamp() if since else None,
            until.timestamp() if until else None,
            self.email,
            self.error,
            self.delivery,
        )


class JobQuery(JobFilter):
    """A filter, and which page of what matches."""

    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE, description="Jobs on a page.")
    cursor: str | None = Field(None, description="`next` of the page before.")


def parse_filter(fields: Mapping[str, Any], beside: tuple[str, ...] = PAGING) -> JobFilter:
    """Check a filter. Raises `Refused` that lists every wrong field; `beside` are names that are no part of it."""
    given = {name: value for name, value in fields.items() if name not in beside}
    try:
        return JobFilter.model_validate(given)
    except ValidationError as error:
        raise from_validation(error, known=(*JobFilter.model_fields, *beside), whole=("status",)) from error


@dataclass(frozen=True, slots=True)
class Listing:
    """The handler, and what it calls; the page *Jobs* calls `page` too.

    `room` is how many of a tenant's jobs run at a time, unless its row says.
    """

    database: Database
    room: int = 0

    @operation("Jobs, newest first", {200: Answer("A page.", JobList)}, query=JobQuery, problems=WRONG)
    async def list_jobs(self, request: web.Request) -> web.Response:
        """GET /v1/jobs?status=&task=&created_after=&created_before=&email=&error=&delivery=&limit=&cursor=."""
        return as_json(await self.page(caller_of(request).tenant, _fields(request), PAGE))

    async def page(self, tenant: str, fields: Mapping[str, Any], size: int) -> JobList:
        """The page of that tenant's jobs that a query of these fields asks for; `size` is its `limit` if it has none.

        Raises `Refused`.
        """
        wanted = parse_filter(fields).wanted()
        limit, after = limit_of(fields, size), cursor_of(fields.get("cursor"))
        return await self.database.read(present_jobs, tenant, wanted, limit, after, room=self.room)


def _fields(request: web.Request) -> dict[str, Any]:
    """The query; only `status` may be there more than once."""
    fields: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        if len(values) > 1 and name != "status":
            raise Refused(422, f"{name}: it is there {len(values)} times; send one.", field=name)
        fields[name] = values if name == "status" else values[0]
    return fields
