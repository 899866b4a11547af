"""What a call may end in instead of its answer, in words that say what to do.

::

    StreamappError
    ├── ApiError            the API refuses, or what answers is not this API
    └── Transient
        ├── ApiUnreachable  nothing answers, or the connection breaks, and trying again did not help
        └── WaitTimeout     the job has not ended in time; it goes on
"""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from streamapp.errors import StreamappError, Transient
from streamapp.resources import JobResource, Problem

__all__ = ["ApiError", "ApiUnreachable", "WaitTimeout", "not_understood", "refused", "unreachable"]

SHOWN = 200  # characters of an answer that is no problem document
HINTS = {401: "The client takes a key as api_key, the commands as STREAMAPP_API_KEY."}
NOT_OURS = "This is no answer of streamapp's: check the address, and what stands before it."


class ApiError(StreamappError):
    """The API refuses.

    `status` is the HTTP status; `type`, `title`, `detail` and `errors` are the problem document's (RFC 9457), the last
    one naming fields; `retry_after_s` says after how many seconds to come again, where the API said so.
    """

    def __init__(self, problem: Problem, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(_words(problem, hint))
        self.status = problem.status
        self.type = problem.type
        self.title = problem.title
        self.detail = problem.detail
        self.errors = problem.errors
        self.retry_after_s = retry_after_s


class ApiUnreachable(Transient):
    """Nothing answers at the address, or the connection broke before the answer; the message says what to check."""


class WaitTimeout(Transient, TimeoutError):
    """A job has not ended in the time that was given to it. It goes on; `job` is what was last known of it."""

    def __init__(self, job: JobResource, timeout_s: float) -> None:
        done = f", {job.progress.done} of {job.progress.total}" if job.progress.total else ""
        super().__init__(
            f"Job {job.id} has not ended within {timeout_s:g} s: it is {job.status}{done}. It goes on; wait again, or "
            "cancel it."
        )
        self.job = job


def refused(answer: httpx.Response, retry_after_s: float | None = None) -> ApiError:
    """The error that an answer stands for which is not the one that was wanted."""
    status = answer.status_code
    if answer.is_redirect:
        detail = f"{answer.url} leads to {answer.headers.get('Location')}: give the client the address that it leads to"
        return ApiError(Problem(title=answer.reason_phrase, status=status, detail=detail))
    try:
        problem, hint = Problem.model_validate_json(answer.content), HINTS.get(status, "")
    except ValidationError:
        text = " ".join(answer.text.split())[:SHOWN] or "no more was said"
        problem, hint = Problem(title=answer.reason_phrase, status=status, detail=text), NOT_OURS
    return ApiError(problem, hint=hint, retry_after_s=retry_after_s)


def not_understood(answer: httpx.Response, why: str) -> ApiError:
    """The error for an answer that says success and is not what this API says."""
    detail = f"what {answer.url} answers can't be read: {why}"
    return ApiError(Problem(title="not understood", status=answer.status_code, detail=detail), hint=NOT_OURS)


def unreachable(error: httpx.RequestError, base_url: str, *, repeatable: bool = True) -> ApiUnreachable:
    """The error for a call without an answer. One that may not be repeated may have been done all the same."""
    cause = str(error) or type(error).__name__
    unknown = "" if repeatable else " It is not known whether the call was carried out: look before you repeat it."
    if isinstance(error, httpx.ConnectError):
        return ApiUnreachable(
            f"Nothing answers at {base_url}: {cause}. Check the address, and that streamapp runs there: `streamapp up` "
            "starts it on this machine, and `streamapp doctor` finds out what is wrong."
        )
    if isinstance(error, httpx.TimeoutException):
        return ApiUnreachable(
            f"{base_url} did not answer in time ({type(error).__name__}). Check that streamapp is well there, or give "
            f"the client a larger timeout_s.{unknown}"
        )
    return ApiUnreachable(f"The connection to {base_url} broke before the answer: {cause}. Try again.{unknown}")


def _words(problem: Problem, hint: str) -> str:
    others = [f"Also {each.field}: {each.detail}" for each in problem.errors if each.detail not in problem.detail]
    said = [f"{problem.status} {problem.title}: {problem.detail}", *others]
    return " ".join([*(f"{each.rstrip('.')}." for each in said), *([hint] if hint else [])])
