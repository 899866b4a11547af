"""Which requests a worker without keys takes for its own."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from streamapp.intake.local import is_named, refuse_elsewhere
from streamapp.intake.refusal import Refused

BASE = "http://127.0.0.1:6066"
PUBLIC = "https://books.example.org"


def status_of(
    headers: dict[str, str], method: str = "POST", base: str = BASE, origins: tuple[str, ...] = ("*",)
) -> int:
    """Of the refusal; 200 without one."""
    try:
        refuse_elsewhere(make_mocked_request(method, "/v1/jobs", headers=headers), base, origins)
    except Refused as refused:
        return refused.problem.status
    return 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:6066", 200),
        ("localhost", 200),
        ("LOCALHOST.:6066", 200),
        ("[::1]:6066", 200),
        ("[::ffff:127.0.0.1]", 421),
        ("127.1.2.3", 200),
        ("10.0.0.1", 421),
        ("0.0.0.0:6066", 421),
        ("2130706433", 421),
        ("127.1", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evillocalhost", 421),
        ("a.localhost:6066", 200),
        ("127.0.0.1@evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_names(host: str, status: int) -> None:
    """Those that only this machine can mean, spelt as browsers spell them."""
    assert status_of({"Host": host}, "GET") == status


def test_the_configured_name_is_ours() -> None:
    """Where a proxy on this machine stands before it; its pages may send."""
    assert status_of({"Host": "books.example.org"}, base=PUBLIC) == 200
    assert status_of({"Host": "127.0.0.1:6066", "Origin": PUBLIC}, base=PUBLIC) == 200
    assert status_of({"Host": "books.example.org"}) == 421


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Origin": BASE}, "POST", 200),
        ({"Origin": "http://127.0.0.1:1"}, "POST", 403),
        ({"Origin": "null"}, "POST", 403),
        ({"Origin": "http://[::1"}, "POST", 403),
        ({"Origin": "https://evil.example"}, "GET", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "POST", 403),
        ({"Sec-Fetch-Site": "same-site"}, "DELETE", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "GET", 200),
        ({"Sec-Fetch-Site": "same-origin"}, "POST", 200),
        ({"Sec-Fetch-Site": "none"}, "POST", 200),
        ({"Origin": BASE, "Sec-Fetch-Site": "cross-site"}, "POST", 200),
        ({}, "POST", 200),
    ],
)
def test_pages(headers: dict[str, str], method: str, status: int) -> None:
    """Ours, and programs, which say nothing of it."""
    assert status_of({"Host": "127.0.0.1:6066", **headers}, method) == status


def test_a_named_origin_may_call() -> None:
    """One that somebody wrote down; a star is nobody's name, whatever a request says that its origin is."""
    assert status_of({"Host": "localhost", "Origin": "https://a.example"}, origins=("*", "https://a.example")) == 200
    assert not is_named("*", ("*",))
