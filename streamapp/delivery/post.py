"""Posting a webhook: one bounded exchange with one receiver, and what its end means for trying again."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from streamapp.delivery.dial import LookUp, connector_for
from streamapp.delivery.target import Rules, Target
from streamapp.errors import Permanent, Transient

__all__ = ["Poster", "WebhookRefused", "WebhookUnavailable", "retry_after_s"]

MOST_ANSWER = 16 * 1024  # bytes of an answer that are read, so that who sends a little more than nothing is not cut off
DRAIN_S = 1.0
LONGEST_WORDS = 300
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "streamapp",
    "Accept-Encoding": "identity",  # an answer is not unpacked
}


class WebhookUnavailable(Transient):
    """The receiver can't be reached, is too slow, or answers with anything but 2xx.

    `hung`: its time went by without an answer. `after_s`: it asks to be let alone for so many seconds.
    """

    def __init__(self, reason: str, *, hung: bool = False, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.hung = hung
        self.after_s = after_s


class WebhookRefused(Permanent):
    """The receiver wants this no more, now and later (410)."""


class Poster:
    """Posts; each exchange, from the name's look-up to the answer's status, is over within `timeout_s` seconds.

    `tls` checks certificates against the system's authorities if it is left out.
    """

    def __init__(self, rules: Rules, timeout_s: float, look_up: LookUp, tls: ssl.SSLContext | None = None) -> None:
        self._rules = rules
        self._timeout_s = timeout_s
        self._look_up = look_up
        self._tls = tls or ssl.create_default_context()

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Post once; returns once the receiver has answered 2xx. Raises `WebhookUnavailable` or `WebhookRefused`.

        One that is cancelled raises `WebhookUnavailable`: it may have arrived, and then it comes once more.
        """
        answer: ClientResponse | None = None
        try:
            async with asyncio.timeout(self._timeout_s), self._session(target) as session:
                sending = session.post(target.url, data=body, headers={**HEADERS, **headers}, allow_redirects=False)
                async with sending as answer:
                    await _drain(answer)
        except (ClientError, OSError, ValueError, asyncio.CancelledError) as error:
            if answer is None:
                raise self._failure(error) from error
        assert answer is not None
        _judge(answer)

    def _failure(self, error: BaseException) -> WebhookUnavailable:
        if isinstance(error, TimeoutError):
            return WebhookUnavailable(f"it did not answer within {self._timeout_s:g} s", hung=True)
        if isinstance(error, asyncio.CancelledError):
            return WebhookUnavailable("the worker was stopped meanwhile")
        return WebhookUnavailable(_said(error))

    def _session(self, target: Target) -> ClientSession:
        """One for each exchange, so that nothing is left of it: no connection, no cookie; and no proxy of anybody's."""
        return ClientSession(
            connector=connector_for(target, self._rules, self._look_up, self._tls),
            timeout=ClientTimeout(total=None, sock_connect=None),  # all of it together is bounded
            cookie_jar=DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )


async def _drain(answer: ClientResponse) -> None:
    """Read the beginning of an answer, whose status is all that counts: whatever happens here changes nothing."""
    with suppress(TimeoutError, ClientError, OSError):
        async with asyncio.timeout(DRAIN_S):
            left = MOST_ANSWER
            while left > 0 and (part := await answer.content.read(left)):
                left -= len(part)


def _judge(answer: ClientResponse) -> None:
    """What a status means (Standard Webhooks, "Deliverability and reliability"; RFC 9110, 15)."""
    status = answer.status
    if 200 <= status < 300:
        return
    words = _status(status)
    if status == HTTPStatus.GONE:
        raise WebhookRefused(f"{words}: the receiver wants nothing more")
    if 300 <= status < 400:
        raise WebhookUnavailable(f"{words}: redirects are not followed; name the URL that answers")
    asked = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    raise WebhookUnavailable(words, after_s=retry_after_s(answer.headers.get("Retry-After", "")) if asked else 0.0)


def retry_after_s(value: str) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3): a number or a date; 0 for anything else."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return 0.0


def _status(status: int) -> str:
    """In our words: what a receiver says beside its status is not shown to who named the URL."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _said(error: BaseException) -> str:
    """The cause in one line: what is wrapped says more than what wraps it."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    words = str(inner) or type(inner).__name__
    line = " ".join(words.encode("utf-8", "replace").decode().replace("\0", "?").split())
    return line[:LONGEST_WORDS]
