"""Accepting work: validate, keep the document, reserve the job. After this returns the work is not lost any more."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from streamapp.documents.claim import Blobs
from streamapp.documents.text import is_text, normalise_text
from streamapp.errors import BadDocument
from streamapp.identity import Run, digest
from streamapp.intake.refusal import Refused, from_validation
from streamapp.intake.submission import Submission
from streamapp.store.database import Database
from streamapp.store.reservations import NewJob, reserve
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Task
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
        task = self._task(submission.task)
        params = _params(task, submission)
        content, media_type = _content(task, submission)
        identity = job_id or str(uuid.uuid4())
        claim = await asyncio.to_thread(self._blobs.put, _path(tenant, identity), content)
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
        return await self._reserve(new)

    async def _reserve(self, new: NewJob) -> AnyRow:
        try:
            reservation = await self._database.write(reserve, new)
        except BaseException:
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

    def _task(self, name: str) -> Task:
        if name not in self._registry:
            raise Refused(
                422, f"There is no task {name!r}; there are {', '.join(sorted(self._registry))}.", field="task"
            )
        return self._registry[name]


def _check_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        detail = f"An idempotency key is 1 to {KEY_LENGTH} printable ASCII characters."
        raise Refused(422, detail, field="Idempotency-Key")


def _params(task: Task, submission: Submission) -> str:
    try:
        return task.params.model_validate(submission.params).model_dump_json()
    except ValidationError as error:
        raise from_validation(error, "params") from error


def _content(task: Task, submission: Submission) -> tuple[bytes, str]:
    content, media_type = submission.content()
    essence = media_type.partition(";")[0].strip().lower()
    if essence not in task.accepts:
        detail = f"Task {task.name} takes {', '.join(task.accepts)}, not {essence}."
        raise Refused(415, detail, field="media_type")
    if not content:
        raise Refused(422, "The document is empty.", field="document")
    if is_text(essence):
        try:
            content = normalise_text(content, media_type)
        except BadDocument as error:
            raise Refused(422, str(error), field="document") from error
    return content, essence


def _first_words(content: bytes, media_type: str) -> str | None:
    if not is_text(media_type):
        return None
    lines = content[:2000].decode("utf-8", "ignore").split("\n")
    first = next((" ".join(line.split()) for line in lines if line.strip()), "")
    return (first if len(first) <= 80 else first[:79].rstrip() + "…") or None


def _path(tenant: str, job: str) -> str:
    """A path of its own for each attempt, so that a refused one can remove what it wrote and nothing else."""
    return f"documents/{tenant}/{job}/{uuid.uuid4().hex}"


def _body_hash(submission: Submission, params: str, content: bytes, media_type: str) -> str:
    rest = submission.model_dump(mode="json", include={"name", "email", "priority", "deadline"})
    return digest(submission.task, params, media_type, content, json.dumps(rest, sort_keys=True))
