"""What is allowed, said before it hurts: GET /v1/limits."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, Field

from streamapp.intake.caller import caller_of
from streamapp.intake.handling import LONGEST_PAGE, PAGE, as_json
from streamapp.intake.operation import Answer, operation
from streamapp.intake.prefer import LONGEST_WAIT_S
from streamapp.intake.service import KEY_LENGTH
from streamapp.intake.submission import HIGHEST_PRIORITY, LONGEST_DEADLINE, LONGEST_NAME, LOWEST_PRIORITY
from streamapp.resources import TaskResource
from streamapp.settings import Settings
from streamapp.store import rooms
from streamapp.store.database import Database

__all__ = ["Allowed", "LimitsResource"]


class Range(BaseModel):
    """From one number to another, both of them allowed."""

    least: int
    most: int


class Page(BaseModel):
    """How many a list shows at a time: unless the request says, and at most."""

    usual: int
    most: int


class KeyLimits(BaseModel):
    """What the key that asks may do; null where it has no such limit, and where no key is asked for."""

    requests_per_minute: int | None = Field(description="Requests to one worker; more get 429.")
    active_jobs: int | None = Field(description="Jobs of its tenant that have not ended, while it may add another.")


class LimitsResource(BaseModel):
    """What is allowed. Where null stands for a number, there is no such limit."""

    body_bytes: int = Field(description="A request's body, after decompression; larger ones get 413.")
    document_bytes: int = Field(description="A document sent in a form or by itself; a task may take less.")
    name_characters: int
    idempotency_key_characters: int
    priority: Range
    deadline_s: int = Field(description="How far ahead a deadline may be.")
    wait_s: int = Field(description="The longest `Prefer: wait` that is granted.")
    running_jobs: int | None = Field(description="How many of your jobs run at a time; the rest wait.")
    job_s: float = Field(description="How long a job may run; then it has failed.")
    kept_days: float | None = Field(description="How long a finished job is kept.")
    key: KeyLimits = Field(description="What is so for the key that asks.")
    page: Page
    tasks: list[TaskResource] = Field(description="What each task takes: media types, and parameters as JSON schema.")


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
