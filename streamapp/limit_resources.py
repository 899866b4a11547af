"""What is allowed, as `GET /v1/limits` says it: written by the intake, read by the client."""

from __future__ import annotations

from pydantic import BaseModel, Field

from streamapp.resources import TaskResource

__all__ = ["KeyLimits", "LimitsResource", "Page", "Range"]


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
