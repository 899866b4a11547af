"""What the API shows to operators alone: agents and how far behind they are, model workers, dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

__all__ = ["AgentResource", "DeadLetterList", "DeadLetterResource", "Overview", "PartitionResource", "WorkerResource"]


class PartitionResource(BaseModel):
    """A partition as a consumer group sees it; `committed` is null before the first commit."""

    partition: int
    committed: int | None
    end: int
    lag: int


class AgentResource(BaseModel):
    """An agent: what it reads, how far behind it is, and how fast it goes."""

    name: str
    group: str
    topic: str
    partitions: list[PartitionResource]
    lag: int
    rate: float | None = Field(
        description="Messages a second in this worker over the last minute; null if another runs it."
    )


class WorkerResource(BaseModel):
    """A model worker that was heard of lately."""

    id: str
    host: str
    pid: int
    device: str
    predictors: list[str]
    items: int
    rate: float | None = Field(description="Items a second while busy.")
    seen_s: float = Field(description="Seconds since it was last heard of.")


class Overview(BaseModel):
    """What runs and how far behind it is; `problem` says why Kafka could not be asked."""

    agents: list[AgentResource]
    workers: list[WorkerResource]
    problem: str | None = None


class DeadLetterResource(BaseModel):
    """What was given up: a message that no agent could work on, or a delivery."""

    id: int
    state: Literal["open", "redriven", "discarded"]
    topic: str | None
    partition: int | None
    offset: int | None
    delivery: str | None
    job_id: str | None
    reason: str
    attempts: int
    first_seen: datetime
    last_seen: datetime
    size: int | None = Field(description="Bytes of the message; null when they are not kept.")
    value: str | None = Field(None, description="The message's bytes in base64; only when one is shown.")


class DeadLetterList(BaseModel):
    """A page of dead letters, newest first."""

    items: list[DeadLetterResource]
    next: str | None
