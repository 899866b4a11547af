"""Reading the whole inbox at once: what is marked is what its reader has seen, and nothing that came meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import LARGEST, WRONG, as_json, optional_object
from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.refusal import from_validation
from streamapp.resources import NotificationsRead
from streamapp.store import inbox
from streamapp.store.database import Database

__all__ = ["Notices", "ReadBody"]


class ReadBody(BaseModel):
    """Which lines: all, or those up to one, which are those that the reader has seen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    up_to: int | None = Field(None, ge=1, le=LARGEST, description="The id of the newest line to mark; null: all.")


@dataclass(frozen=True, slots=True)
class Notices:
    """The handler, and what it calls."""

    database: Database

    @operation(
        "Mark all as read",
        {200: Answer("How many lines were marked, and how many are unread.", NotificationsRead)},
        bodies={JSON: ReadBody},
        body_required=False,
        problems=WRONG,
    )
    async def read_notifications(self, request: web.Request) -> web.Response:
        """POST /v1/notifications/read: all lines of the caller's tenant, or those up to one."""
        wished = _read(await optional_object(request))
        return as_json(await self.database.write(_mark, caller_of(request).tenant, wished.up_to))


def _read(fields: dict[str, Any]) -> ReadBody:
    try:
        return ReadBody.model_validate(fields)
    except ValidationError as error:
        raise from_validation(error, known=ReadBody.model_fields) from error


def _mark(connection: Connection, tenant: str, up_to: int | None) -> NotificationsRead:
    marked = inbox.mark_all_read(connection, tenant, up_to)
    return NotificationsRead(read=marked, unread=inbox.unread(connection, tenant))
