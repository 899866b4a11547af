"""Accepting work: validate, keep the document, reserve the job. After this returns the work is not lost any more."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from streamapp import faults
from streamapp.documents.claim import INLINE_BYTES, Blobs, inline
from streamapp.documents.text import is_markup, is_text, title_of
from streamapp.errors import StoreUnavailable
from streamapp.identity import digest, new_job_id
from streamapp.intake.checks import checked_content, checked_params, checked_task
from streamapp.intake.refusal import Refused
from streamapp.intake.reserver import Publish, Reserver
from streamapp.intake.submission import Submission
from streamapp.jobs import memory
from streamapp.store.database import Database
from streamapp.store.reservations import JobRemoved, NewJob, Reservation
from streamapp.tasks.registry import Registry

__all__ = ["Intake"]

KEY_LENGTH = 255
SORTED = json.JSONEncoder(sort_keys=True)
RETRY_S = 30


class Intake:
    """Turns a submission into a job. `publish` is told of each new one; it may fail, the relay will do it then.

    `closed` says in a sentence why no new work is taken now, or None.
    """

    def __init__(
        self,
        registry: Registry,
        database: Database,
        blobs: Blobs,
        publish: Publish,
        closed: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._closed = closed
        self._registry = registry
        self._blobs = blobs
        self._reserver = Reserver(database, publish)

    async def submit(
        self, tenant: str, submission: Submission, *, key: str | None = None, job_id: str | None = None
    ) -> Reservation:
        """Accept a job, or find the one that `key` or `job_id` names. Raises `Refused` and `StoreUnavailable`.

        The same key (or id) with the same body gives the same job, with another body a 422.
        """
        self._check_open()
        _check_key(key)
        task = checked_task(self._registry, submission.task)
        params = checked_params(task, submission.params)
        content, media_type = checked_content(task, submission)
        identity = job_id or new_job_id()
        new = NewJob(
            tenant=tenant,
            id=identity,
            task=task.name,
            params=params,
            name=submission.name or _first_words(content, media_type),
            document=await self._kept(tenant, identity, content),
            media_type=media_type,
            size=len(content),
            body_hash=_body_hash(submission, params, content, media_type),
            idempotency_key=key,
            email=submission.email,
            priority=submission.priority,
            deadline=submission.deadline.timestamp() if submission.deadline else None,
            work_hash=memory.work_hash(task, params, content, media_type),
            content_hash=memory.content_hash(task, content, media_type),
            fresh=submission.fresh,
            named=job_id is not None or key is not None,
        )
        made = await self._reserve(new)
        if job_id is not None and made.row.id != job_id:
            raise Refused(422, "This Idempotency-Key was used before for another id.", field="Idempotency-Key")
        return made

    async def _kept(self, tenant: str, identity: str, content: bytes) -> str:
        """The document's reference. A small one is its own, and takes no disk and no thread."""
        if len(content) <= INLINE_BYTES:
            return inline(content)
        faults.cross("blob.before")
        claim = await asyncio.to_thread(self._blobs.put, _path(tenant, identity), content)
        faults.cross("blob.after")
        return claim

    def _check_open(self) -> None:
        reason = self._closed()
        if reason is not None:
            raise Refused(503, f"No new work is taken now, and nothing was accepted. {reason}", retry_after_s=RETRY_S)

    async def _reserve(self, new: NewJob) -> Reservation:
        try:
            made = await self._reserver.reserve(new)
        except StoreUnavailable:
            raise  # nobody knows whether the row stands; if it does, it needs its document
        except JobRemoved as error:
            await asyncio.to_thread(self._blobs.delete, new.document)
            raise _gone(new, error) from error
        except Exception:  # but not when it is cancelled: the write may stand all the same
            await asyncio.to_thread(self._blobs.delete, new.document)
            raise
        if not made.created and made.row.document != new.document:
            await asyncio.to_thread(self._blobs.delete, new.document)
        if not made.same:
            raise _used_before(new)
        return made


def _used_before(new: NewJob) -> Refused:
    field = "Idempotency-Key" if new.idempotency_key else "id"
    return Refused(422, f"This {field} was used before with another body; use a new one for new work.", field=field)


def _gone(new: NewJob, error: JobRemoved) -> Refused:
    if not error.same:
        return _used_before(new)
    on = datetime.fromtimestamp(error.tombstone.removed_at, UTC)
    return Refused(
        410,
        f"Job {error.tombstone.job} has {error.tombstone.status}, and was removed on {on:%Y-%m-%d} after the days that "
        "finished jobs are kept. It does not start again; use a new id or key for new work.",
    )


def _check_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        detail = f"An idempotency key is 1 to {KEY_LENGTH} printable ASCII characters."
        raise Refused(422, detail, field="Idempotency-Key")


def _first_words(content: bytes, media_type: str) -> str | None:
    if not is_text(media_type):
        return None
    beginning = content[:2000].decode("utf-8", "ignore")
    lines = [title_of(beginning)] if is_markup(media_type) else beginning.split("\n")
    first = next((line for line in map(_shown, lines) if line), "")
    return (first if len(first) <= 80 else first[:79].rstrip() + "…") or None


def _shown(line: str) -> str:
    words = " ".join(line.split())
    return words if words.isprintable() else "".join(letter for letter in words if letter.isprintable())


def _path(tenant: str, job: str) -> str:
    """A path of its own for each attempt, so that a refused one can remove what it wrote and nothing else."""
    return f"documents/{tenant}/{job}/{uuid.uuid4().hex}"


def _body_hash(submission: Submission, params: str, content: bytes, media_type: str) -> str:
    rest = submission.model_dump(mode="json", include={"name", "email", "priority", "deadline"})
    if submission.fresh:  # else what was accepted before there was this field would be another body
        rest["fresh"] = True
    return digest(submission.task, params, media_type, content, SORTED.encode(rest))
