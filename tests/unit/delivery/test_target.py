"""Where webhooks may go: what a URL must look like, and which hosts the settings let through."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL  # what aiohttp reads URLs with

from streamapp.delivery.target import LONGEST, Rules, WrongTarget, host_of, parse_target
from streamapp.settings import Settings

STRICT, HTTP, HERE = Rules(), Rules(http=True), Rules(loopback=True)
SPELT = {
    "https://example.org": "https://example.org/",
    "HTTPS://Example.ORG./Hook?a=1&b=%2F": "https://example.org/Hook?a=1&b=%2F",
    "https://example.org:443/": "https://example.org/",
    "https://example.org:8443/x": "https://example.org:8443/x",
    "https://xn--mller-kva.example/": "https://xn--mller-kva.example/",
    "https://93.184.216.34/": "https://93.184.216.34/",
    "https://[2606:4700:4700:0::1111]:8443/": "https://[2606:4700:4700::1111]:8443/",
    "https://hooks_1.example.org/": "https://hooks_1.example.org/",
}


@pytest.mark.parametrize(("url", "spelt"), SPELT.items())
def test_what_may_be_called(url: str, spelt: str) -> None:
    """Is put into one spelling, which reads as itself."""
    target = parse_target(url, STRICT)
    assert target.url == spelt
    assert parse_target(spelt, STRICT) == target
    assert host_of(spelt) == target.host


REFUSED = {
    "": "character",
    "example.org": "https://",
    "http://example.org/": "https://",
    "ftp://example.org/": "https://",
    "file:///etc/passwd": "https://",
    "gopher://example.org/": "https://",
    "https:example.org": "https://",
    "https:///path": "https://",
    "//example.org/": "https://",
    "https://user:password@example.org/": "no user name",
    "https://example.org@127.0.0.1/": "no user name",
    "https://@example.org/": "no user name",
    "https://example.org/#there": "fragment",
    "https://example.org\\@127.0.0.1/": "character",
    "https://exa mple.org/": "character",
    "https://example.org/\n": "character",
    "https://müller.example/": "character",
    "https://example.org/ä": "character",
    "https://example%2eorg/": "no name",
    "https://-example.org/": "no name",
    "https://example..org/": "no name",
    f"https://{'a' * 64}.org/": "no name",
    f"https://{'a.' * 130}org/": "no name",
    "https://2130706433/": "number",
    "https://0x7f000001/": "number",
    "https://0177.0.0.1/": "number",
    "https://127.1/": "number",
    "https://1.2.3.0x4/": "number",
    "https://127.0.0.1/": "loopback",
    "https://10.0.0.1/": "private",
    "https://169.254.169.254/latest/meta-data/": "link-local",
    "https://[::1]/": "loopback",
    "https://[::ffff:127.0.0.1]/": "IPv4-mapped",
    "https://[fd00:ec2::254]/": "private",
    "https://[fe80::1%25eth0]/": "brackets",
    "https://[::1]example.org/": "brackets",
    "https://[2606:4700::1/": "read",
    "https://[1.1.1.1]/": "brackets",
    "https://localhost/": "public internet",
    "https://x.localhost/": "public internet",
    "https://intranet/": "public internet",
    "https://metadata.google.internal/": "public internet",
    "https://printer.local/": "public internet",
    "https://example.org:80/": "port",
    "https://example.org:22/": "port",
    "https://example.org:25/": "port",
    "https://example.org:6667/": "port",
    "https://example.org:65536/": "port",
    "https://example.org:x/": "port",
    "https://example.org:0/": "port",
}


@pytest.mark.parametrize(("url", "why"), REFUSED.items(), ids=[repr(url)[:40] for url in REFUSED])
def test_what_may_not(url: str, why: str) -> None:
    """Is refused with the reason."""
    with pytest.raises(WrongTarget, match=why.replace("[", r"\[")):
        parse_target(url, STRICT)


def test_one_that_is_too_long() -> None:
    """Is refused with the limit; one character less is not."""
    url = f"https://example.org/{'a' * (LONGEST - 20)}"
    assert len(parse_target(url, STRICT).url) == LONGEST
    with pytest.raises(WrongTarget, match=str(LONGEST)):
        parse_target(f"{url}a", STRICT)


def test_http_where_it_is_allowed() -> None:
    """It goes to public hosts, and to no other."""
    assert parse_target("http://example.org:8080/", HTTP).port == 8080
    assert parse_target("http://example.org/", HTTP).url == "http://example.org/"
    for url in ("http://127.0.0.1:8080/", "http://localhost/", "http://10.0.0.1/"):
        with pytest.raises(WrongTarget):
            parse_target(url, HTTP)


@pytest.mark.parametrize("url", ["http://127.0.0.1:6070/", "http://localhost:6070/", "http://[::1]:6070/"])
def test_loopback_where_it_is_allowed(url: str) -> None:
    """It may be called by http too, and nothing else may."""
    assert parse_target(url, HERE).url == url
    for other in ("http://example.org/", "http://10.0.0.1/", "https://10.0.0.1/", "http://[::ffff:127.0.0.1]:6070/"):
        with pytest.raises(WrongTarget):
            parse_target(other, HERE)


@pytest.mark.parametrize(
    ("fields", "loopback"),
    [
        ({}, True),
        ({"web_host": "localhost"}, True),
        ({"web_host": "::1"}, True),
        ({"web_host": "0.0.0.0"}, False),
        ({"web_host": "192.168.1.7"}, False),
        ({"web_host": ""}, False),
        ({"public_url": "http://localhost:8000"}, True),
        ({"public_url": "https://books.example.org"}, False),
    ],
)
def test_who_may_call_loopback(fields: dict[str, Any], loopback: bool, tmp_path: Path) -> None:
    """A worker that only this machine can ask, and none that is said to be reached from elsewhere."""
    assert Rules.of(Settings(home=tmp_path, **fields)) == Rules(http=False, loopback=loopback)


WILD = st.text(alphabet="aAzZ09.-_:/@[]%#?\\\t\u3002\uff0e!", max_size=30)


@given(st.sampled_from(["https://", "http://", "https:/", "https://example.org", "https://127.0.0.1"]), WILD)
def test_two_readers_never_differ_about_the_host(start: str, rest: str) -> None:
    """What is let through means to aiohttp, and to the standard library, what it means to us."""
    try:
        target = parse_target(start + rest, Rules(http=True, loopback=True))
    except WrongTarget:
        return
    seen = URL(target.url)
    assert (seen.host, seen.port, seen.user, seen.scheme) == (target.host, target.port, None, target.scheme)
    assert urlsplit(target.url).hostname == target.host
