"""What is allowed, said before it hurts: GET /v1/limits."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import LONGEST_PAGE, PAGE, as_json
from streamapp.intake.operation import Answer, operation
from streamapp.intake.prefer import LONGEST_WAIT_S
from streamapp.intake.service import KEY_LENGTH
from streamapp.intake.submission import HIGHEST_PRIORITY, LONGEST_DEADLINE, LONGEST_NAME, LOWEST_PRIORITY
from streamapp.limit_resources import KeyLimits, LimitsResource, Page, Range
from streamapp.resources import TaskResource
from streamapp.settings import Settings
from streamapp.store import rooms
from streamapp.store.database import Database

__all__ = ["Allowed"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The handler, and what it calls."""

    settings: Settings
    database: Database
    tasks: list[TaskResource]

    @operation("What is allowed", {200: Answer("All limits.", LimitsResource)})
    async def get_limits(self, request: web.Request) -> web.Response:
        """GET /v1/limits."""
        settings = self.settings
        caller = caller_of(request)
        running = await self.database.read(rooms.limit_of, caller.tenant, settings.tenant_running)
        resource = LimitsResource(
            body_bytes=settings.max_body_bytes,
            document_bytes=settings.max_document_bytes,
            name_characters=LONGEST_NAME,
            idempotency_key_characters=KEY_LENGTH,
            priority=Range(least=LOWEST_PRIORITY, most=HIGHEST_PRIORITY),
            deadline_s=int(LONGEST_DEADLINE.total_seconds()),
            wait_s=LONGEST_WAIT_S,
            running_jobs=running or None,
            job_s=settings.job_timeout_s,
            kept_days=settings.keep_jobs_days or None,
            key=KeyLimits(requests_per_minute=caller.per_minute, active_jobs=caller.active_jobs),
            page=Page(usual=PAGE, most=LONGEST_PAGE),
            tasks=self.tasks,
        )
        return as_json(resource)
