"""The document of a submission as its task takes it, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass

from streamapp.documents.charset import guess_of
from streamapp.documents.longtext import refuse_unfit, stays_as_it_is
from streamapp.documents.text import encoding_of, is_text, said_encoding
from streamapp.errors import BadDocument
from streamapp.identity import Pieced
from streamapp.intake.checks import checked_bytes, checked_content, checked_file
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import Submission
from streamapp.intake.upload import HEAD, Upload
from streamapp.tasks.contract import Task

__all__ = ["Content", "content_of"]


@dataclass(frozen=True, slots=True)
class Content:
    """Text is UTF-8. ``hashed`` stands for it in hashes; ``head`` is how it begins.

    ``reference`` names a blob that holds it already; without one, ``hashed`` is all of it.
    """

    media_type: str
    size: int
    head: bytes
    hashed: bytes | Pieced
    reference: str | None = None


async def content_of(task: Task, submission: Submission, upload: Upload | None) -> Content:
    """What was sent in the fields, or beside them. Raises `Refused` and, for an upload, `StoreUnavailable`."""
    if upload is None:
        return _held(*checked_content(task, submission))
    if submission.text is not None:
        raise Refused(422, "Send text or document, not both.", field="document")
    media_type = submission.media_type or "application/octet-stream"
    if upload.content is not None:
        return _held(*checked_bytes(task, upload.content, media_type, "document"))
    essence = await upload.elsewhere(_looked_at, task, upload, media_type)
    if is_text(essence):
        await _as_utf8(upload, media_type)
    return _spooled(upload, essence)


def _looked_at(task: Task, upload: Upload, media_type: str) -> str:
    with upload.open() as file:
        return checked_file(task, file, upload.size, media_type)


def _spooled(upload: Upload, media_type: str) -> Content:
    if upload.content is not None:  # in UTF-8 it is small
        return _held(upload.content, media_type)
    return Content(media_type, upload.size, upload.head, upload, upload.reference)


def _held(content: bytes, media_type: str) -> Content:
    return Content(media_type, len(content), content[:HEAD], content)


async def _as_utf8(upload: Upload, media_type: str) -> None:
    """The same that `normalise_text` does to what is in memory."""
    try:
        guessed = await _guessed(upload, media_type)
        if guessed is None and stays_as_it_is(upload.head, media_type):
            refuse_unfit(upload.look)
        else:
            await upload.recode(guessed or encoding_of(upload.head, media_type))
    except BadDocument as error:
        raise Refused(422, str(error), field="document") from error


async def _guessed(upload: Upload, media_type: str) -> str | None:
    """The likeliest charset of what is not UTF-8, and says of nothing what it is in; None for all else."""
    if upload.look.wrong is None or said_encoding(upload.head, media_type) is not None:
        return None
    return await upload.elsewhere(lambda: guess_of(upload.stored()))
