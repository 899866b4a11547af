"""Headers: floods of them, giants, and the ones that are known with values that nobody expects."""

from __future__ import annotations

import random
import string

from fuzz.places import PLACES, filled
from fuzz.shot import Headers, Shot, Target, bearer, request

__all__ = ["heads"]

OFTEN_WRONG = (
    "", " ", "\t", "*", "0", "-1", "null", "a" * 256, "a" * 5000, '"', '""', "clé", "\udcff", "a,b", "a;b=c", "%00",
    "\x7f",
    "=", ";", ",", ",,,,", "٣", "1" * 400, "()", "🦉", "'; drop table jobs; --", "${jndi:ldap://a}", "{{7*7}}", "\x01",
)  # fmt: skip
KNOWN: dict[str, tuple[str, ...]] = {
    "Idempotency-Key": ('"quoted"', "k" * 255, "k" * 256, "a b", "a\tb"),
    "Prefer": ("wait=0", "wait=1", "wait=-1", "wait=1e9", "wait=" + "9" * 500, "respond-async, wait=0", "wait",
               "wait=0, wait=1"),
    "Accept": ("text/html", "*/*;q=0", "text/*;q=x", "image/png", ", ".join(["a/b"] * 500), "a/b;q=" + "9" * 99,
               "text"),
    "Accept-Encoding": ("gzip;q=0", "*", "br", "gzip, " * 500),
    "Content-Type": ("text", "a/b/c", "multipart/form-data", "multipart/form-data; boundary=",
                     "application/json; charset=x",
                     "text/plain; charset=utf-7", "text/plain; charset=idna", "application/+json", "; boundary=a"),
    "Content-Encoding": ("br", "zstd", "gzip, gzip", "identity", "compress", "GZIP", "x-gzip"),
    "If-None-Match": ("*", "W/*", '"a", "b"', '"' + "a" * 9000 + '"', "W/", '"a'),
    "If-Modified-Since": ("0", "Thu, 01 Jan 1970 00:00:00 GMT", "99999"),
    "Range": ("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=" + "0-1," * 900, "lines=1-2", "bytes=" + "9" * 99 + "-"),
    "Last-Event-ID": ("0", "1.1", "-", "9" * 40, "1-2-3-4", "a.b.c", "%0a"),
    "Authorization": ("Basic YTpi", "Bearer", "bearer x y", "Bearer " + "=" * 900, "Digest a", "Bearer \udcff"),
    "Cookie": ("streamapp_login=", "streamapp_login=x; streamapp_login=y", "=", "a=b; " * 900, 'streamapp_login="',
               "\udcff=1"),
    "Origin": ("null", "https://evil.example", "http://[::1", "http://127.0.0.1", "//", "http://a:99999", "file://"),
    "Sec-Fetch-Site": ("cross-site", "same-origin", "none", "Cross-Site"),
    "Host": ("", "a:b:c", "[::1", "127.0.0.1:99999", "evil.example", "a" * 300, "127.0.0.1@evil"),
    "Expect": ("100-continue", "200-ok", "100-Continue, x"),
    "X-HTTP-Method-Override": ("DELETE", "GET", "TRACE"),
    "X-Forwarded-For": ("127.0.0.1", "::1", "unknown"),
    "X-Forwarded-Host": ("evil.example",),
    "Access-Control-Request-Method": ("POST", "\udcff", "TRACE"),
    "Access-Control-Request-Headers": ("authorization, " * 300, "\udcff"),
    "TE": ("trailers", "gzip;q=2"),
    "Trailer": ("Authorization",),
    "Connection": ("close, Authorization", "keep-alive", "upgrade"),
    "traceparent": ("00-" + "0" * 32 + "-" + "0" * 16 + "-00",),
}  # fmt: skip
NAME = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


def heads(chance: random.Random, target: Target) -> Shot:
    """A request that is right but for its headers."""
    place = chance.choice(PLACES)
    about: list[tuple[str | bytes, str | bytes]] = [*bearer(chance, target), *_own(chance)]
    if place.kind and not any(name == "Content-Type" for name, _ in about):
        about.append(("Content-Type", place.kind))
    sent = request(place.method, filled(chance, target, place.path), about, place.body, target.host)
    return Shot((sent,), place.path, silent=_odd(about), listens_s=0.4 if place.streams or _waits(about) else None)


def _own(chance: random.Random) -> Headers:
    kind = chance.random()
    if kind < 0.75:
        return [_known(chance) for _ in range(chance.choice((1, 1, 1, 2, 4)))]
    if kind < 0.83:
        return [
            (f"X-{number}", "y" * chance.choice((0, 10))) for number in range(chance.choice((50, 500, 5000, 20_000)))
        ]
    if kind < 0.9:
        return [("X-Long", chance.choice("a, ;\t") * chance.choice((8000, 8190, 20_000, 300_000)))]
    if kind < 0.95:
        name = "".join(chance.choices(NAME + " :\x00\x7fé", k=chance.choice((1, 10, 300, 9000))))
        return [(name, chance.choice(OFTEN_WRONG))]
    same = _known(chance)
    return [same] * chance.choice((2, 3, 100))


def _known(chance: random.Random) -> tuple[str, bytes]:
    name = chance.choice(tuple(KNOWN))
    value = chance.choice(KNOWN[name] if chance.random() < 0.7 else OFTEN_WRONG)
    return name, value.encode("utf-8", "surrogateescape")


def _odd(about: Headers) -> bool:
    """Whether the connection may end without an answer: what is asked for changes how it is kept."""
    return any(name in ("Connection", "Expect", "TE") for name, _ in about)


def _waits(about: Headers) -> bool:
    return any(name == "Connection" for name, _ in about)
