"""Each call of the API as a value: what to send, how its answer is read, and whether it may be made again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from streamapp.client.errors import not_understood, refused
from streamapp.client.retries import asked_s
from streamapp.client.sending import Content, Deadline, Document, File, Sending, as_form, document_of, fields_of
from streamapp.limit_resources import LimitsResource
from streamapp.resources import JobList, JobResource, NotificationsRead, Status

__all__ = [
    "Call",
    "Filter",
    "Sending",
    "as_json",
    "cancel",
    "delete",
    "job",
    "job_path",
    "jobs",
    "limits",
    "mark_all_read",
    "plain",
    "retry",
    "submit",
]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

IN_JSON = 1 << 20  # bytes of text; more goes as a file, of which the API takes more
WAIT_MARGIN_S = 15.0  # an answer under `Prefer: wait` may come so much later


class Filter(TypedDict, total=False):
    """Which jobs are meant: those that match all that is given. Times have an offset."""

    status: Status | Sequence[Status]
    task: str
    created_after: datetime
    created_before: datetime
    email: str
    error: str
    delivery: Literal["pending", "sending", "sent", "parked", "dead"]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call. `fine`: statuses that are answers beside 2xx; `fine_again`: those that are when it was made before.

    `read_s`: the answer may take so long, if that is longer than the client's own limit.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    document: Document | None = None
    repeatable: bool = True
    fine: Collection[int] = ()
    fine_again: Collection[int] = ()
    read_s: float = 0.0

    def opened(self) -> AbstractContextManager[Content | None]:
        """The document's content for one attempt; it blocks. Raises OSError."""
        return nullcontext() if self.document is None else self.document.opened()

    def request(self, http: httpx.Client | httpx.AsyncClient, content: Content | None, most_s: float) -> httpx.Request:
        """The request, with that content as its file. It may take `most_s` seconds where nothing else is said."""
        limit = httpx.Timeout(most_s, read=max(most_s, self.read_s))
        about: dict[str, Any] = {"params": self.query, "headers": self.headers, "timeout": limit}
        if self.json is not None:
            about["json"] = self.json
        if self.document is not None and content is not None:
            file = (self.document.name, content, self.document.media_type)
            about |= {"data": self.form, "files": {"file": file}}
        return http.build_request(self.method, self.path, **about)

    def result(self, answer: httpx.Response, attempt: int) -> T:
        """What the answer to that attempt (from 1) says. Raises `ApiError`."""
        again = self.fine_again if attempt > 1 else ()
        if not (answer.is_success or answer.status_code in self.fine or answer.status_code in again):
            raise refused(answer, asked_s(answer.headers))
        try:
            return self.read(answer)
        except ValidationError as error:
            raise not_understood(answer, f"{error.error_count()} fields are not as they should be") from error
        except ValueError as error:
            raise not_understood(answer, str(error)) from error


def as_json(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Reads a resource."""
    return lambda answer: kind.model_validate_json(answer.content)


def submit(
    task: str, text: str | None, file: File | None, key: str | None, wait_s: int | None, sending: Sending
) -> Call[JobResource]:
    """A job, under the key or a new one. Raises TypeError and ValueError for what can't be sent."""
    _check_document(text, file)
    key = str(uuid.uuid4()) if key is None else key
    if not (key and key.isascii() and key.isprintable()):
        raise ValueError(f"An idempotency key is printable ASCII, which {key!r} is not.")
    headers = {"Idempotency-Key": key}
    if wait_s is not None:
        headers["Prefer"] = f"wait={wait_s}"
    patient = 0.0 if wait_s is None else wait_s + WAIT_MARGIN_S
    fields = fields_of(task, sending)
    read = as_json(JobResource)
    if text is not None and len(text) <= IN_JSON:
        return Call("POST", "/v1/jobs", read, headers=headers, json={**fields, "text": text}, read_s=patient)
    if text is not None:
        document = document_of(text.encode(), None, "text/plain; charset=utf-8")
    else:
        assert file is not None
        document = document_of(file, sending.get("name"), fields.pop("media_type", None))
    form, again = as_form(fields), document.repeatable
    return Call(
        "POST", "/v1/jobs", read, headers=headers, form=form, document=document, repeatable=again, read_s=patient
    )


def job(job_id: str) -> Call[JobResource]:
    """One job."""
    return Call("GET", job_path(job_id), as_json(JobResource))


def jobs(limit: int, cursor: str | None, wanted: Filter) -> Call[JobList]:
    """A page of jobs."""
    query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    for name, value in wanted.items():
        if isinstance(value, datetime):
            query[name] = value.isoformat()
        elif value is not None:
            query[name] = value if isinstance(value, str) else ",".join(str(each) for each in _sequence(value))
    return Call("GET", "/v1/jobs", as_json(JobList), query=query)


def cancel(job_id: str) -> Call[JobResource]:
    """Cancel; a second time changes nothing."""
    return Call("DELETE", job_path(job_id), as_json(JobResource))


def retry(job_id: str, deadline: Deadline | None) -> Call[JobResource]:
    """The next run. Not to be repeated: the second time it would run already."""
    given: Sending = {} if deadline is None else {"deadline": deadline}
    body = {name: value for name, value in fields_of("", given).items() if name == "deadline"}
    return Call("POST", f"{job_path(job_id)}/retry", as_json(JobResource), json=body, repeatable=False)


def delete(job_id: str) -> Call[None]:
    """Delete what a finished job stored. That it is not there the second time is what was wanted."""
    return Call("DELETE", f"{job_path(job_id)}/data", lambda _: None, fine_again=(404, 410))


def limits() -> Call[LimitsResource]:
    """What is allowed."""
    return Call("GET", "/v1/limits", as_json(LimitsResource))


def mark_all_read(up_to: int | None) -> Call[NotificationsRead]:
    """Mark the inbox as read; what is read stays so."""
    body = {} if up_to is None else {"up_to": up_to}
    return Call("POST", "/v1/notifications/read", as_json(NotificationsRead), json=body)


def plain(method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Call[Any]:
    """Any call that may be made twice, its answer as JSON."""
    return Call(method, path, lambda answer: json.loads(answer.content), query=query or {}, json=body)


def job_path(job_id: str) -> str:
    """Where a job is; an id that is none stays within this path."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _check_document(text: object, file: object) -> None:
    if text is None and file is None:
        raise TypeError("There is no document: give text= or file=.")
    if text is not None and file is not None:
        raise TypeError("Give text= or file=, not both.")
    if not isinstance(text, str | None):
        raise TypeError(f"text= is the text itself, a str, not {type(text).__name__}; bytes and files go as file=.")


def _sequence(value: object) -> Sequence[object]:
    assert isinstance(value, Sequence)
    return value
