"""The client that blocks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, Self, TypeVar, Unpack

import httpx

from streamapp.client import calls
from streamapp.client.calls import Call, Filter, Sending
from streamapp.client.errors import ApiError, ApiUnreachable, unreachable
from streamapp.client.following import QUIET_S, Following, JobEvent
from streamapp.client.kept import Kept
from streamapp.client.options import LONGEST_PAGE, PAGE, address_of, headers_of
from streamapp.client.retries import Policy, Tries
from streamapp.client.sending import Deadline, File
from streamapp.client.waiting import Waiting
from streamapp.limit_resources import LimitsResource
from streamapp.resources import JobList, JobResource, NotificationsRead, ReportResource

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """Speaks to one deployment. Use it as a context manager, or close it.

    All methods raise `ApiError` where the API refuses, and `ApiUnreachable` where nothing answers. Calls are made again
    as `policy` says where that does no harm. `timeout_s` is how long a connection may take, and a part of an answer.
    `transport`, `sleep` and `now` (seconds, monotonic) are for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        timeout_s: float = 60.0,
        policy: Policy | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(base_url=address_of(base_url), headers=headers_of(api_key), transport=transport)
        self._url, self._timeout_s, self._policy = base_url, timeout_s, policy or Policy()
        self._sleep, self._now = sleep, now
        self._kept = Kept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        task: str,
        *,
        text: str | None = None,
        file: File | None = None,
        key: str | None = None,
        wait_s: int | None = None,
        **sending: Unpack[Sending],
    ) -> JobResource:
        """Send a text or a file to be worked on; it is accepted once, however often it has to be sent.

        `key` is an idempotency key of your own: the same key and the same work give the same job, also later and from
        elsewhere. With `wait_s` the answer is the finished job, if it ends within so many seconds. A file that is open
        and can't be read twice, such as a pipe, is sent once only. A `deadline` is a time with its offset, a datetime
        or RFC 3339 as text, or a timedelta from now.
        """
        return self._do(calls.submit(task, text, file, key, wait_s, sending))

    def job(self, job_id: str) -> JobResource:
        """The job as it is now."""
        return self._do(calls.job(job_id))

    def jobs(self, limit: int = PAGE, cursor: str | None = None, **wanted: Unpack[Filter]) -> JobList:
        """A page of the newest jobs that match; `cursor` is the `next` of the page before."""
        return self._do(calls.jobs(limit, cursor, wanted))

    def each_job(self, **wanted: Unpack[Filter]) -> Iterator[JobResource]:
        """All jobs that match, newest first, page after page."""
        page = self.jobs(LONGEST_PAGE, **wanted)
        yield from page.items
        while page.next is not None:
            page = self.jobs(LONGEST_PAGE, page.next, **wanted)
            yield from page.items

    def stream(
        self, job_id: str, *, last_event_id: str | None = None, deliveries: bool = False
    ) -> Generator[JobEvent, None, None]:
        """The job's events until it has ended, or with `deliveries` until the last of them is settled.

        A connection that breaks is taken up again where it broke. `last_event_id` goes on behind an event that was
        read before, by whomever.
        """
        tries = Tries(self._policy, self._now)
        following = Following(job_id, tries, after=last_event_id, deliveries=deliveries)
        while not following.over:
            for events in self._connection(following):
                yield from events
            if not following.over:
                self._sleep(following.delay_s)

    def wait(self, job_id: str, *, timeout_s: float | None = None) -> JobResource:
        """The job once it has ended, however it has. Raises `WaitTimeout` after so many seconds; the job goes on."""
        waiting = Waiting(job_id, timeout_s, self._policy, self._now)
        while True:
            try:
                job = self._do(waiting.call, waiting.tries(), waiting.answer_s)
            except (ApiError, ApiUnreachable) as error:
                waiting.failed(error)
            else:
                if waiting.ended(job):
                    return job
                if waiting.may_stream():
                    self._listen(waiting)
            self._sleep(waiting.delay_s())

    def cancel(self, job_id: str) -> JobResource:
        """Cancel a job; one that has ended stays as it is."""
        return self._do(calls.cancel(job_id))

    def retry(self, job_id: str, *, deadline: Deadline | None = None) -> JobResource:
        """Start a job again that failed, expired or was cancelled. Raises `ApiError` with 409 for any other.

        It is not repeated inside: the second time the job would run already.
        """
        return self._do(calls.retry(job_id, deadline))

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, with all that it stored. Raises `ApiError` with 409 for one that has not."""
        self._do(calls.delete(job_id))

    def result(self, job_id: str) -> ReportResource:
        """The report. Raises `ApiError` with 404 where there is none. It is sent anew only when it has changed."""
        return self._do(self._kept.report(job_id))

    def partial(self, job_id: str) -> ReportResource:
        """A report on what there is so far, if the task makes one. Raises `ApiError` with 404."""
        return self._do(self._kept.partial(job_id))

    def plot(self, job_id: str) -> bytes:
        """The report's plot as PNG. Raises `ApiError` with 404 where there is none."""
        return self._do(self._kept.plot(job_id))

    def attachment(self, job_id: str, number: int) -> bytes:
        """One of the report's attachments, from 1. Raises `ApiError` with 404."""
        return self._do(self._kept.attachment(job_id, number))

    def limits(self) -> LimitsResource:
        """What is allowed, and what each task takes."""
        return self._do(calls.limits())

    def mark_all_read(self, *, up_to: int | None = None) -> NotificationsRead:
        """Mark all lines of the inbox as read, or those up to the one with the id `up_to`."""
        return self._do(calls.mark_all_read(up_to))

    def get(self, path: str, **query: str) -> Any:
        """Any other resource as JSON."""
        return self._do(calls.plain("GET", path, query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for anything else to be done that may be done twice without harm."""
        return self._do(calls.plain("POST", path, body=body or {}))

    def _do(self, call: Call[T], tries: Tries | None = None, most_s: float = math.inf) -> T:
        tries = tries or Tries(self._policy, self._now, repeatable=call.repeatable)
        while True:
            try:
                with call.opened() as content:
                    answer = self._http.send(call.request(self._http, content, min(self._timeout_s, most_s)))
            except httpx.RequestError as error:
                delay = tries.after(error)
                if delay is None:
                    raise unreachable(error, self._url, repeatable=call.repeatable) from error
            else:
                delay = tries.after(answer)
                if delay is None:
                    return call.result(answer, tries.made)
            self._sleep(delay)

    def _connection(self, following: Following) -> Generator[list[JobEvent], None, None]:
        """What comes over one connection, also signs of life. Raises `ApiError` and `ApiUnreachable`."""
        try:
            with closing(self._http.send(following.call().request(self._http, None, QUIET_S), stream=True)) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                if following.begins(answer):
                    for piece in answer.iter_bytes():
                        yield following.take(piece, answer)
                        if following.over:
                            return
                    following.ended(self._url)
        except httpx.RequestError as error:
            following.broke(error, self._url)

    def _listen(self, waiting: Waiting) -> None:
        try:
            with closing(self._connection(waiting.following)) as pieces:
                for _ in pieces:
                    if waiting.heard():
                        return
        except (ApiError, ApiUnreachable) as error:
            waiting.stream_failed(error)
