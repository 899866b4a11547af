"""Accepting work: validate, keep the document, reserve the job. After this returns the work is not lost any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from streamapp import faults
from streamapp.delivery.target import Rules
from streamapp.documents.claim import INLINE_BYTES, Blobs, inline
from streamapp.elsewhere import Elsewhere
from streamapp.errors import StoreUnavailable
from streamapp.identity import Pieced, new_job_id
from streamapp.intake.checks import checked_params, checked_task, checked_webhook
from streamapp.intake.content import content_of
from streamapp.intake.noted import first_words, hashes_of
from streamapp.intake.recipients import Recipients
from streamapp.intake.refusal import Refused
from streamapp.intake.reserver import Publish, Reserver, Reserves
from streamapp.intake.submission import Submission
from streamapp.intake.upload import Upload, document_path
from streamapp.store.database import Database
from streamapp.store.reservations import JobRemoved, NewJob, Reservation
from streamapp.tasks.registry import Registry

__all__ = ["KEY_LENGTH", "Intake"]

KEY_LENGTH = 255
RETRY_S = 30


class Intake:
    """Turns a submission into a job. `publish` is told of each new one; it may fail, the relay will do it then.

    `closed` says in a sentence why no new work is taken now, or None; `paused`, whether none of a tenant is.
    `recipients` say who may be sent e-mails; everybody, without them.
    `rules` say where webhooks may go; `reserver` reserves, and `elsewhere` does what blocks.
    """

    def __init__(
        self,
        registry: Registry,
        database: Database,
        blobs: Blobs,
        publish: Publish,
        closed: Callable[[], str | None] = lambda: None,
        paused: Callable[[str], bool] = lambda tenant: False,
        recipients: Recipients | None = None,
        rules: Rules = Rules(),  # noqa: B008 - it is frozen
        reserver: Callable[[Database, Publish], Reserves] = Reserver,
        elsewhere: Elsewhere = asyncio.to_thread,
    ) -> None:
        self._elsewhere = elsewhere
        self._recipients = recipients
        self._paused = paused
        self._closed = closed
        self._rules = rules
        self._registry = registry
        self._blobs = blobs
        self._reserver = reserver(database, publish)

    @property
    def tasks(self) -> Collection[str]:
        """The names of those there are."""
        return self._registry

    async def submit(
        self,
        tenant: str,
        submission: Submission,
        *,
        upload: Upload | None = None,
        key: str | None = None,
        job_id: str | None = None,
    ) -> Reservation:
        """Accept a job, or find the one that `key` or `job_id` names. Raises `Refused` and `StoreUnavailable`.

        The same key (or id) with the same body gives the same job, with another body a 422. An `upload` that was made
        for `job_id` is the document; it stays its caller's to close.
        """
        self.check_open(tenant)
        _check_key(key)
        if submission.email is None or self._recipients is None:
            return await self._accept(tenant, submission, upload, key, job_id)
        async with self._recipients.room(tenant, submission.email, job_id, key):
            return await self._accept(tenant, submission, upload, key, job_id)

    async def _accept(
        self, tenant: str, submission: Submission, upload: Upload | None, key: str | None, job_id: str | None
    ) -> Reservation:
        task = checked_task(self._registry, submission.task)
        params = checked_params(task, submission.params)
        webhook = checked_webhook(submission.webhook, self._rules)
        content = await content_of(task, submission, upload)
        hashes = await hashes_of(task, params, submission, content, self._elsewhere)
        identity = job_id or (upload.job if upload else new_job_id())
        new = NewJob(
            tenant=tenant,
            id=identity,
            task=task.name,
            params=params,
            name=submission.name or first_words(content.head, content.media_type),
            document=content.reference or await self._kept(tenant, identity, content.hashed),
            media_type=content.media_type,
            size=content.size,
            body_hash=hashes.body,
            idempotency_key=key,
            email=submission.email,
            priority=submission.priority,
            deadline=submission.deadline.timestamp() if submission.deadline else None,
            work_hash=hashes.work,
            content_hash=hashes.content,
            fresh=submission.fresh,
            named=job_id is not None or key is not None,
            webhook=webhook,
        )
        if upload is not None:
            upload.take()  # what becomes of it is known below, or by the sweep of orphans
        made = await self._reserve(new)
        if job_id is not None and made.row.id != job_id:
            raise Refused(422, "This Idempotency-Key was used before for another id.", field="Idempotency-Key")
        return made

    async def _kept(self, tenant: str, identity: str, content: bytes | Pieced) -> str:
        """The document's reference. A small one is its own, and takes no disk and no thread."""
        assert isinstance(content, bytes)  # all else has a reference
        if len(content) <= INLINE_BYTES:
            return inline(content)
        faults.cross("blob.before")
        claim = await self._elsewhere(self._blobs.put, document_path(tenant, identity), content)
        faults.cross("blob.after")
        return claim

    def check_open(self, tenant: str) -> None:
        """Raise `Refused`: with 403 for a tenant that is paused, with 503 when no new work is taken now."""
        if self._paused(tenant):
            raise Refused(403, "This tenant is paused: no new work of it is taken now, and nothing was accepted.")
        reason = self._closed()
        if reason is not None:
            raise Refused(503, f"No new work is taken now, and nothing was accepted. {reason}", retry_after_s=RETRY_S)

    async def _reserve(self, new: NewJob) -> Reservation:
        try:
            made = await self._reserver.reserve(new)
        except StoreUnavailable:
            raise  # nobody knows whether the row stands; if it does, it needs its document
        except JobRemoved as error:
            await self._elsewhere(self._blobs.delete, new.document)
            raise _gone(new, error) from error
        except Exception:  # but not when it is cancelled: the write may stand all the same
            await self._elsewhere(self._blobs.delete, new.document)
            raise
        if not made.created and made.row.document != new.document:
            await self._elsewhere(self._blobs.delete, new.document)
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
        f"Job {error.tombstone.job} has ended ({error.tombstone.status}), and was removed on {on:%Y-%m-%d}, because "
        "its days were over or it was deleted. It does not start again; use a new id or key for new work.",
    )


def _check_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        detail = f"An idempotency key is 1 to {KEY_LENGTH} printable ASCII characters."
        raise Refused(422, detail, field="Idempotency-Key")
