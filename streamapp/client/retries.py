"""Whether to try again, and when: decisions without I/O. A call is tried again only where that does no harm."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from streamapp.retry import delay_s

__all__ = ["AGAIN", "Policy", "Tries", "asked_s"]

AGAIN = (429, 502, 503, 504)
NEVER = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.DecodingError)  # it would be the same again


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a client is; all but `attempts` in seconds."""

    attempts: int = 6
    """How often one call is made at most."""
    first_s: float = 0.2
    longest_s: float = 5.0
    """Between them: doubling, with jitter, from the first to the longest; more if `Retry-After` says so."""
    asked_s: float = 120.0
    """The longest `Retry-After` that is waited for; when it is longer, the error says so at once."""
    patience_s: float = 300.0
    """How long `wait` and `stream` look for an API again that they have heard of before."""


class Tries:
    """Counts the attempts of one call; of a stream, those since something was last `heard`."""

    def __init__(
        self,
        policy: Policy,
        now: Callable[[], float],
        *,
        repeatable: bool = True,
        until: float = math.inf,
        jitter: float | None = None,
    ) -> None:
        self.made = 0
        self._policy, self._now, self._repeatable = policy, now, repeatable
        self._until, self._jitter = until, jitter
        self._heard_at: float | None = None

    def heard(self) -> None:
        """The API is there: from now on patience counts, and not attempts."""
        self.made = 0
        self._heard_at = self._now()

    def after(self, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """Seconds until the next attempt after this outcome; None: there is to be none."""
        self.made += 1
        if not self._repeatable or self._is_enough() or isinstance(outcome, NEVER):
            return None
        asked = 0.0
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in AGAIN:
                return None
            asked = asked_s(outcome.headers) or 0.0
        own = delay_s(self.made, first_s=self._policy.first_s, longest_s=self._policy.longest_s, jitter=self._jitter)
        delay = max(own, asked)
        return delay if asked <= self._policy.asked_s and self._now() + delay < self._until else None

    def _is_enough(self) -> bool:
        if self._heard_at is None:
            return self.made >= self._policy.attempts
        return self._now() - self._heard_at >= self._policy.patience_s


def asked_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, in either of its forms (RFC 9110, 10.2.3); None if it is not there.

    A date is taken against the answer's own `Date`, so that this machine's clock may be wrong.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12]) if len(text) <= 12 else math.inf
    then = _moment(text)
    if then is None:
        return None
    now = _moment(headers.get("Date", "")) or datetime.fromtimestamp(time.time(), UTC)
    return max(0.0, (then - now).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
