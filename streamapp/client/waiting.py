"""Waiting for a job's end: over its stream while that works and there is time, by asking now and then otherwise.

A stream can't be left exactly on time: a read is given its limit before it begins. So the last stretch of a wait with a
timeout is spent asking.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from streamapp.client import calls
from streamapp.client.calls import Call
from streamapp.client.errors import ApiError, ApiUnreachable, WaitTimeout
from streamapp.client.following import QUIET_S, Following
from streamapp.client.retries import AGAIN, Policy, Tries
from streamapp.resources import JobResource
from streamapp.retry import delay_s

__all__ = ["Waiting"]

ACTIVE = ("queued", "running")
FIRST_S, LONGEST_S = 0.1, 2.0
LAST_LOOK_S = 1.0
STREAMS = 3  # that fail one after the other before no more are tried


class Waiting:
    """Where one `wait` is. What it decides on is what it was told last."""

    def __init__(self, job_id: str, timeout_s: float | None, policy: Policy, now: Callable[[], float]) -> None:
        self._id, self._policy, self._now = job_id, policy, now
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self._ends_at = now() + self._timeout_s
        self._job: JobResource | None = None
        self._heard_at = self._asked_s = self._stream_at = 0.0
        self._asked = self._failed_streams = 0
        self.following = self._begin()

    @property
    def left_s(self) -> float:
        """How long the wait may last yet."""
        return max(0.0, self._ends_at - self._now())

    @property
    def call(self) -> Call[JobResource]:
        """How the job is."""
        return calls.job(self._id)

    @property
    def answer_s(self) -> float:
        """How long that may take; the last time it is asked there is no time left, and it has a second all the same."""
        return max(LAST_LOOK_S, self.left_s)

    def tries(self) -> Tries:
        """For that call: not beyond the wait's end."""
        return Tries(self._policy, self._now, until=self._ends_at)

    def ended(self, job: JobResource) -> bool:
        """Whether the job, as it is now, has ended. Raises `WaitTimeout`."""
        self._job, self._heard_at = job, self._now()
        if job.status in ACTIVE and not self.left_s:
            raise WaitTimeout(job, self._timeout_s)
        if self.following.over:  # it is told that it has ended, and has begun again since
            self.following = self._begin()
        return job.status not in ACTIVE

    def failed(self, error: ApiError | ApiUnreachable) -> None:
        """The job could not be asked for. Raises the error, unless the API was there before and may come back."""
        asked_s = (error.retry_after_s or 0.0) if isinstance(error, ApiError) else 0.0
        if isinstance(error, ApiError) and (error.status not in AGAIN or asked_s > self._policy.asked_s):
            raise error
        if self._job is None or self._now() - self._heard_at >= self._policy.patience_s:
            raise error
        if not self.left_s:
            raise WaitTimeout(self._job, self._timeout_s) from error
        self._asked_s = asked_s
        if self.following.over:  # else it would be asked again without a pause
            self.following = self._begin()

    def may_stream(self) -> bool:
        """Whether to listen to the job's stream now."""
        return self.left_s > QUIET_S and self._failed_streams < STREAMS and self._now() >= self._stream_at

    def heard(self) -> bool:
        """The stream gave a sign of life; whether to leave it now."""
        self._failed_streams = 0
        self._heard_at = self._now()
        return self.following.over or self.left_s <= QUIET_S

    def stream_failed(self, error: ApiError | ApiUnreachable) -> None:
        """The stream could not be opened, or has broken."""
        self._failed_streams += 1
        if isinstance(error, ApiError):
            self._stream_at = self._now() + (error.retry_after_s or 0.0)

    def delay_s(self) -> float:
        """How long to wait before the job is asked for."""
        asked_s, self._asked_s = self._asked_s, 0.0
        if self.following.over:
            return 0.0
        self._asked += 1
        return min(max(asked_s, delay_s(self._asked, first_s=FIRST_S, longest_s=LONGEST_S)), self.left_s)

    def _begin(self) -> Following:
        return Following(self._id, Tries(Policy(attempts=1, patience_s=0.0), self._now))
