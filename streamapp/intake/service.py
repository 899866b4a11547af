"""Accepting work: validate, keep the document, reserve the job. After this returns the work is not lost any more."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable

from streamapp import faults
from streamapp.documents.claim import Blobs
from streamapp.documents.text import is_text
from streamapp.errors import StoreUnavailable
from streamapp.identity import Run, digest
from streamapp.intake.checks import checked_content, checked_params, checked_task
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import Submission
from streamapp.store.database import Database
from streamapp.store.reservations import NewJob, reserve
from streamapp.store.sql import AnyRow
from streamapp.tasks.registry import Registry

__all__ = ["Intake"]

logger = logging.getLogger(__name__)

KEY_LENGTH = 255


class Intake:
    """Turns a submission into a job. `publish` is told of each new one; it may fail, the relay will do it then."""

    def __init__(
        self, registry: Registry, database: Database, blobs: Blobs, publish: Callable[[list[Run]], Awaitable[None]]
    ) -> None:
        self._registry = registry
        self._database = database
        self._blobs = blobs
        self._publish = publish
        self._publishing: set[asyncio.Task[None]] = set()

    async def submit(
        self, tenant: str, submission: Submission, *, key: str | None = None, job_id: str | None = None
    ) -> AnyRow:
        """Accept a job, or find the one that `key` or `job_id` names. Raises `Refused` and `StoreUnavailable`.

        The same key (or id) with the same body gives the same job, with another body a 422.
        """
        _check_key(key)
        task = checked_task(self._registry, submission.task)
        params = checked_params(task, submission.params)
        content, media_type = checked_content(task, submission)
        identity = job_id or str(uuid.uuid4())
        faults.cross("blob.before")
        claim = await asyncio.to_thread(self._blobs.put, _path(tenant, identity), content)
        faults.cross("blob.after")
        new = NewJob(
            tenant=tenant,
            id=identity,
            task=task.name,
            params=params,
            name=submission.name or _first_words(content, media_type),
            document=claim,
            media_type=media_type,
            size=len(content),
            body_hash=_body_hash(submission, params, content, media_type),
            idempotency_key=key,
            email=submission.email,
            priority=submission.priority,
            deadline=submission.deadline.timestamp() if submission.deadline else None,
        )
        row = await self._reserve(new)
        if job_id is not None and row.id != job_id:
            raise Refused(422, "This Idempotency-Key was used before for another id.", field="Idempotency-Key")
        return row

    async def _reserve(self, new: NewJob) -> AnyRow:
        try:
            reservation = await self._database.write(reserve, new)
        except StoreUnavailable:
            raise  # nobody knows whether the row stands; if it does, it needs its document
        except Exception:  # but not when it is cancelled: the write may stand all the same
            await asyncio.to_thread(self._blobs.delete, new.document)
            raise
        if not reservation.created and reservation.row.document != new.document:
            await asyncio.to_thread(self._blobs.delete, new.document)
        if not reservation.same:
            field = "Idempotency-Key" if new.idempotency_key else "id"
            raise Refused(
                422, f"This {field} was used before with another body; use a new one for new work.", field=field
            )
        if reservation.created:
            self._publish_soon(Run(new.tenant, new.id, 1))
        return reservation.row

    def _publish_soon(self, run: Run) -> None:
        task = asyncio.create_task(self._publish_now(run), name=f"publish {run.job}")
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_now(self, run: Run) -> None:
        try:
            await self._publish([run])
        except Exception:
            logger.exception("job %s is left to the relay", run.job)


def _check_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        detail = f"An idempotency key is 1 to {KEY_LENGTH} printable ASCII characters."
        raise Refused(422, detail, field="Idempotency-Key")


def _first_words(content: bytes, media_type: str) -> str | None:
    if not is_text(media_type):
        return None
    lines = content[:2000].decode("utf-8", "ignore").split("\n")
    shown = ("".join(letter for letter in " ".join(line.split()) if letter.isprintable()) for line in lines)
    first = next((line for line in shown if line), "")
    return (first if len(first) <= 80 else first[:79].rstrip() + "…") or None


def _path(tenant: str, job: str) -> str:
    """A path of its own for each attempt, so that a refused one can remove what it wrote and nothing else."""
    return f"documents/{tenant}/{job}/{uuid.uuid4().hex}"


def _body_hash(submission: Submission, params: str, content: bytes, media_type: str) -> str:
    rest = submission.model_dump(mode="json", include={"name", "email", "priority", "deadline"})
    return digest(submission.task, params, media_type, content, json.dumps(rest, sort_keys=True))
