"""Whether a call is made again, and when: as tables."""

from __future__ import annotations

import math

import httpx
import pytest

from streamapp.client.retries import Policy, Tries, asked_s

DATE = "Tue, 01 Jan 2030 12:00:00 GMT"


def answer(status: int, **headers: str) -> httpx.Response:
    """An answer."""
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "9" * 400}, math.inf),
        ({"Retry-After": "Tue, 01 Jan 2030 12:00:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Tue, 01 Jan 2030 11:59:00 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Tue, 01 Jan 1980 12:00:30 GMT"}, 0.0),  # without Date: by this machine's clock
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
    ],
)
def test_how_long_is_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    """In either form, against the answer's own date; what is neither form counts as not there."""
    assert asked_s(headers) == seconds


@pytest.mark.parametrize(
    ("outcome", "delay"),
    [
        (answer(200), None),
        (answer(404), None),
        (answer(422), None),
        (answer(500), None),  # a fault would be the same again
        (answer(429), 0.2),
        (answer(502), 0.2),
        (answer(503), 0.2),
        (answer(504), 0.2),
        (answer(503, Retry_After="0"), 0.2),
        (answer(503, Retry_After="3"), 3.0),
        (answer(503, Retry_After="120"), 120.0),
        (answer(503, Retry_After="121"), None),  # longer than a caller will wait
        (httpx.ConnectError("refused"), 0.2),
        (httpx.ReadTimeout("slow"), 0.2),
        (httpx.RemoteProtocolError("cut"), 0.2),
        (httpx.UnsupportedProtocol("ftp"), None),
        (httpx.LocalProtocolError("header"), None),
    ],
)
def test_what_is_tried_again(outcome: httpx.Response | httpx.RequestError, delay: float | None) -> None:
    """What may be better the next time; never what has no key, whatever the outcome."""
    assert Tries(Policy(), lambda: 0.0, jitter=0.0).after(outcome) == delay
    assert Tries(Policy(), lambda: 0.0, jitter=0.0, repeatable=False).after(outcome) is None


def test_delays_double_and_end() -> None:
    """From the first to the longest, for as many attempts as there may be."""
    tries = Tries(Policy(attempts=8), lambda: 0.0, jitter=0.0)
    delays = [tries.after(answer(503)) for _ in range(8)]
    assert delays == [pytest.approx(each) for each in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)] + [None]


def test_nothing_is_tried_beyond_the_end() -> None:
    """A delay that leads past it is not begun."""
    tries = Tries(Policy(), lambda: 10.0, until=12.0, jitter=0.0)
    assert tries.after(answer(503, Retry_After="1")) == 1.0
    assert tries.after(answer(503, Retry_After="2")) is None


def test_what_was_heard_of_is_looked_for_longer() -> None:
    """By patience and not by attempts."""
    now = 0.0
    tries = Tries(Policy(attempts=2, patience_s=60.0), lambda: now)
    tries.heard()
    for _ in range(10):
        assert tries.after(httpx.ConnectError("refused")) is not None
    now = 59.9
    assert tries.after(httpx.ConnectError("refused")) is not None
    now = 60.0
    assert tries.after(httpx.ConnectError("refused")) is None
