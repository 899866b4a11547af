"""A client for the API: what `streamapp submit` uses, and any program may. It always sends an idempotency key."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from streamapp.errors import StreamappError, Transient
from streamapp.resources import JobList, JobResource
from streamapp.retry import delay_s

__all__ = ["ApiError", "ApiUnreachable", "Client"]

ACTIVE = ("queued", "running")
ATTEMPTS = 6
TRY_LATER = (429, 502, 503, 504)


class ApiError(StreamappError):
    """The API refuses; the message is its own, and `status` its HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class ApiUnreachable(Transient):
    """Nothing answers at that address."""


class Client:
    """Speaks to one deployment. Use it as a context manager, or close it."""

    def __init__(self, base_url: str, *, api_key: str = "", timeout_s: float = 60.0) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=base_url, timeout=timeout_s, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, file: Path, *, task: str, fields: Mapping[str, str] | None = None, key: str | None = None) -> str:
        """Send a file; returns the job's id. It may be repeated inside, and is accepted once all the same.

        Raises `ApiError` when it is refused and `ApiUnreachable`.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        data = {"task": task, **(fields or {})}

        def send() -> httpx.Response:
            with file.open("rb") as content:  # it is read while it is sent, however large it is
                return self._http.post("/v1/jobs", data=data, files={"file": (file.name, content)}, headers=headers)

        return str(self._repeat(send).json()["id"])

    def job(self, job_id: str) -> JobResource:
        """The job as it is now."""
        return JobResource.model_validate_json(self._repeat(lambda: self._http.get(f"/v1/jobs/{job_id}")).content)

    def jobs(self, limit: int = 20, **wanted: str) -> JobList:
        """The newest jobs, or those that match: filters and `cursor` as `GET /v1/jobs` has them."""
        answer = self._repeat(lambda: self._http.get("/v1/jobs", params={"limit": limit, **wanted}))
        return JobList.model_validate_json(answer.content)

    def retry(self, job_id: str) -> JobResource:
        """Start a job again that failed, expired or was cancelled. Raises `ApiError` with 409 for any other.

        It is not repeated inside: the second time the job would run already.
        """
        return JobResource.model_validate_json(_checked(self._http.post(f"/v1/jobs/{job_id}/retry")).content)

    def get(self, path: str, **params: str) -> Any:
        """A resource as JSON."""
        return self._repeat(lambda: self._http.get(path, params=params)).json()

    def post(self, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Ask for something to be done; for calls that may be repeated without harm."""
        return self._repeat(lambda: self._http.post(path, json=body or {})).json()

    def wait(
        self, job_id: str, *, seen: Callable[[JobResource], None] | None = None, every_s: float = 0.5
    ) -> JobResource:
        """Wait until the job has ended, showing each state to `seen`."""
        while True:
            job = self.job(job_id)
            if seen is not None:
                seen(job)
            if job.status not in ACTIVE:
                return job
            time.sleep(every_s)

    def _repeat(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = call()
            except httpx.TransportError as error:
                if attempt == ATTEMPTS or (isinstance(error, httpx.ConnectError) and attempt > 1):
                    raise ApiUnreachable(f"Nothing answers at {self._http.base_url}: {error}.") from error
            else:
                if answer.status_code not in TRY_LATER or attempt == ATTEMPTS:
                    return _checked(answer)
            time.sleep(delay_s(attempt, first_s=0.2, longest_s=3.0))
        raise AssertionError("unreachable")


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        detail: Any = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:200]
    raise ApiError(answer.status_code, f"{answer.status_code}: {detail}")
