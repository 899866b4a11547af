"""The Records: the wire contract between the agents, and the only thing that may stand on a topic.

Each namespace carries its version. Moving a class changes nothing on the wire, a changed field needs a new version,
and a message of another version goes to the dead letters instead of being guessed at (see `streamapp.wire`).
"""

from __future__ import annotations

# Faust reads these annotations at run time, so they use the typing module's spellings.
from typing import Any, Dict, List, Optional  # noqa: UP035

import faust

__all__ = ["Cancel", "Chunk", "ChunkResult", "DeadLetter", "Delivery", "Job", "Record", "WorkerBeat"]


class Record(faust.Record, abstract=True, serializer="json"):
    """What the Records below share: JSON on the wire."""


class Job(Record, namespace="streamapp.job.v1"):
    """One run of a job waits to be planned. The store has the rest.

    ``reservation`` is the job as it was accepted, a second memory of it for as long as the topic keeps it: a store that
    was restored from an older backup gets from it what it does not know (`streamapp rewind`).
    """

    tenant: str
    job_id: str
    run: int
    reservation: Optional[Dict[str, Any]] = None  # noqa: UP006, UP045


class Chunk(Record, namespace="streamapp.chunk.v1"):
    """Items of one step of one job, for one predictor: what a model worker takes as one message."""

    tenant: str
    job_id: str
    run: int
    step: int
    chunk: int
    predictor: str
    document: str
    media_type: str
    size: int
    items: List[Dict[str, Any]]  # noqa: UP006
    deadline: Optional[float] = None  # noqa: UP045


class ChunkResult(Record, namespace="streamapp.result.v1"):
    """What a predictor made of a chunk: an outcome an item, ``{"out": …}`` or ``{"error": "…"}``, in their order."""

    tenant: str
    job_id: str
    run: int
    step: int
    chunk: int
    predictor: str
    version: str
    worker: str
    seconds: float
    outcomes: List[Dict[str, Any]]  # noqa: UP006


class Delivery(Record, namespace="streamapp.delivery.v1"):
    """A delivery waits. The topic carries its id, the ledger its content."""

    delivery_id: str


class WorkerBeat(Record, namespace="streamapp.beat.v1"):
    """A model worker lives; sent every few seconds. ``items`` counts those computed since its start."""

    worker: str
    host: str
    pid: int
    device: str
    predictors: List[str]  # noqa: UP006
    items: int
    chunks: int
    seconds_busy: float
    leaving: bool = False


class Cancel(Record, namespace="streamapp.cancel.v1"):
    """A run has ended otherwise than by success: what model workers hold of it need not be computed."""

    tenant: str
    job_id: str
    run: int


class DeadLetter(Record, namespace="streamapp.dead-letter.v1"):
    """A message that can't be worked on: where it stood, why, and its bytes in base64 (RFC 4648)."""

    topic: str
    partition: int
    offset: int
    reason: str
    at: float
    key: Optional[str] = None  # noqa: UP045
    value: Optional[str] = None  # noqa: UP045
    origin: Optional[int] = None  # noqa: UP045 - the row of the dead letter that it was redriven from
