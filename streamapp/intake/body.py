"""Reading a request's body as a job that is posted: JSON, a form with a file, or the document itself.

JSON is held in memory, within its limit. The document of the other two goes to the blob store while it comes in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from streamapp.identity import new_job_id
from streamapp.intake.asked import Asked
from streamapp.intake.fields import UNNAMED, from_query, refuse_query, with_document
from streamapp.intake.form import nothing_else, read_form
from streamapp.intake.jsontext import parse_object
from streamapp.intake.pace import Pace, read_whole
from streamapp.intake.packed import check_encoding, parsed
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import Submission, parse_submission
from streamapp.intake.upload import Upload, Uploads

__all__ = ["Bodies", "Posted"]


@dataclass(slots=True)
class Posted:
    """The fields of a job, to be checked yet, and the document that came beside them, if one did.

    They are there inside of ``async with``, at whose end an upload is closed.
    """

    reading: Callable[[Posted], Awaitable[None]]
    fields: dict[str, Any] = field(default_factory=dict)
    upload: Upload | None = None
    form: bool = False

    def submission(self, fields: dict[str, Any], tasks: Collection[str] = ()) -> Submission:
        """The job that these fields make. Raises `Refused` that lists every wrong one, and a document that lacks.

        `tasks` are those there are, for whoever names none. A form without a document is refused in the words of a
        form: elsewhere it is the fields that lack it.
        """
        lacks: Refused | None = None
        if self.form and self.upload is None and fields.get("text") is None:
            lacks = Refused(422, "There is no document: send one as file, or its words as text.", field="file")
        try:
            submission = parse_submission(fields, tasks)
        except Refused as refused:
            refused.problem.errors += lacks.problem.errors if lacks else []
            raise
        if lacks:
            raise lacks
        return submission

    async def __aenter__(self) -> Posted:
        try:
            await self.reading(self)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.form and isinstance(error, Refused):  # elsewhere the document has another name
            for problem in error.problem.errors:
                problem.field = "file" if problem.field == "document" else problem.field
        await self._close()

    async def _close(self) -> None:
        if self.upload is not None:
            await self.upload.close()


@dataclass(frozen=True, slots=True)
class Bodies:
    """Reads bodies. One with a document may take `total_s` seconds, and must keep a pace."""

    uploads: Uploads
    total_s: float
    pace: type[Pace] = Pace

    def posted(
        self, request: Asked, tenant: str, job: str | None = None, also: Callable[[str], bool] = nothing_else
    ) -> Posted:
        """What is posted, for that job or a new one; `also` says which other fields a form may have.

        Entering it raises `Refused`, `StoreUnavailable`, and aiohttp's own for a body that is too large or breaks off.
        """
        return Posted(partial(self._read, request, tenant, job, also))

    async def whole(self, request: Asked) -> bytes:
        """A body that is small enough to be held. Raises as entering does."""
        return await read_whole(request, self.total_s, self.pace)

    async def _read(
        self, request: Asked, tenant: str, job: str | None, also: Callable[[str], bool], posted: Posted
    ) -> None:
        kind = request.content_type
        if kind == "application/json" or kind.endswith("+json") or (kind == UNNAMED and "task" not in request.query):
            packed = check_encoding(request)
            refuse_query(request.query)
            posted.fields = parsed(await self.whole(request), packed, parse_object)
            return
        form = kind == "multipart/form-data"
        if not form and "task" not in request.query:
            detail = f"Send application/json, multipart/form-data, or a document as it is to ?task=…, not {kind}."
            raise Refused(415, detail, field="Content-Type")
        packed = check_encoding(request)
        if form:
            refuse_query(request.query)
        if packed and not form:  # aiohttp takes half a gzip for a whole one, and nothing in a document says otherwise
            raise Refused(415, "Send a document that is the body as it is, uncompressed.", field="Content-Encoding")
        posted.form = form
        posted.upload = self._begin(request, tenant, job or new_job_id(), packed=packed, around=form)
        if not form:
            posted.fields = await self._document(request, posted.upload)
            return
        posted.fields, found = await read_form(request, self.pace(self.total_s), posted.upload, also)
        if not found:
            posted.upload = None  # nothing was ever in it

    def _begin(self, request: Asked, tenant: str, job: str, *, packed: bool, around: bool) -> Upload:
        """What was compressed is taken within the limit of other bodies: a little of it may inflate to the largest."""
        if packed:
            return self.uploads.begin(tenant, job, 0, min(self.uploads.most_bytes, request.client_max_size))
        fields = request.client_max_size if around else 0
        return self.uploads.begin(tenant, job, max(0, (request.content_length or 0) - fields))

    async def _document(self, request: Asked, upload: Upload) -> dict[str, Any]:
        """The whole body is the document, and the query has the fields."""
        fields = from_query(request.query)
        parse_submission(fields)  # what is wrong with them is said before a gigabyte has come
        async for piece in self.pace(self.total_s).pieces(request):
            await upload.add(piece)
        await upload.end()
        with_document(fields, upload, request.headers.get("Content-Type", UNNAMED), fields.get("name"))
        return fields
