"""A job's reservation as it travels with its message: the topic is a second memory of what was accepted.

The store is the truth. But a store that was restored from an older backup does not know what was accepted since, and a
topic keeps messages for days; so each Job carries what `streamapp rewind` needs to enter it again. See docs/adr/0013.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from streamapp.identity import Run
from streamapp.models import Job
from streamapp.store.reservations import COLUMNS, NewJob
from streamapp.store.sql import AnyRow

__all__ = ["Accepted", "job_message", "read_reservation"]

MOST_BYTES = 256 * 1024  # of JSON: a topic takes messages of a MiB, and a job must always be publishable
ESCAPED = 12  # bytes of JSON for one character at most
NAMES = tuple(name for name in (*COLUMNS, "created_at") if name not in ("tenant", "id"))


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job as it was accepted: at ``created_at``, by the database's clock of then."""

    new: NewJob
    run: int
    created_at: float


_new_job: TypeAdapter[NewJob] = TypeAdapter(NewJob)


def job_message(run: Run, row: AnyRow | None) -> Job:
    """The message of a run; without a reservation when there is no row, or when that would be too large to be sent."""
    job = Job(run.tenant, run.job, run.run)
    if row is not None:
        fields: dict[str, Any] = {name: getattr(row, name) for name in NAMES}
        # all but the parameters is bounded, and far less than half of it
        if ESCAPED * len(row.params) <= MOST_BYTES / 2 or len(json.dumps(fields)) <= MOST_BYTES:
            job.reservation = fields
    return job


def read_reservation(job: Job) -> Accepted | None:
    """What the message says was accepted; None when it carries nothing, or what is no reservation."""
    fields = dict(job.reservation or {})
    created_at = fields.pop("created_at", None)
    if not isinstance(created_at, float) or job.run < 1:
        return None
    whole = json.dumps({**fields, "tenant": job.tenant, "id": job.job_id})
    try:
        return Accepted(_new_job.validate_json(whole, strict=True), job.run, created_at)
    except ValidationError:
        return None
