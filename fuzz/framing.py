"""Requests whose framing is wrong: lengths that lie, chunks that are none, two requests in one, and no HTTP at all.

Sources: RFC 9112, 6 and 11.2 (request smuggling); James Kettle, "HTTP Desync Attacks", 2019.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.shot import CLOSE, Headers, Shot, Target, bearer, head

__all__ = ["framing"]

BODY = b'{"task": "echo", "text": "Never seen."}'
LENGTHS = ("-1", "+39", "0x27", "39, 39", "39, 40", " 39 ", "٣٩", "1e3", "", "9" * 30, "39\t", "00000039", "3 9", "38")
CODINGS = (
    "chunked", "Chunked", " chunked", "xchunked", "chunked, identity", "identity, chunked", "chunked,chunked",
    "chunked\x0b", '"chunked"', "gzip, chunked", "", "chunked;q=0",
)  # fmt: skip
CHUNKS = (
    b"0\r\n\r\n", b"-1\r\nx\r\n0\r\n\r\n", b"zz\r\n\r\n", b"ffffffffffffffff\r\nx", b"1\r\nxx\r\n0\r\n\r\n",
    b"1;a=" + b"b" * 9000 + b"\r\nx\r\n0\r\n\r\n", b"0x1\r\nx\r\n0\r\n\r\n", b"1\nx\n0\n\n", b" 1\r\nx\r\n0\r\n\r\n",
    b"1\r\nx0\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 2000 + b"\r\n", b"1_0\r\n\r\n",
    b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), b"%x\r\n%s\r\n" % (len(BODY), BODY), b"1\r\n",
)  # fmt: skip
NO_HTTP = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    b"GET /\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"\r\n\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n",
    b"\x00" * 4096,
    b"\xff" * 100 + b"\r\n\r\n",
    b"EHLO fuzz\r\nMAIL FROM:<a@b>\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"GET\t/healthz\tHTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\n: nameless\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
)
UPGRADES: tuple[Headers, ...] = (
    [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "eA=="),
        ("Sec-WebSocket-Version", "13"),
    ],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQ")],
    [("Connection", "Upgrade"), ("Upgrade", "TLS/1.0")],
)
PATHS = ("/v1/jobs", "/kafka/pushToConsumers", "/ui/jobs", "/login", "/v1/jobs/cancel", "/healthz")


def framing(chance: random.Random, target: Target) -> Shot:
    """One of them."""
    return chance.choice(KINDS)(chance, target)


def _post(chance: random.Random, target: Target, more: Headers) -> bytes:
    about: Headers = [("Host", target.host), ("Content-Type", "application/json"), *bearer(chance, target)]
    return head("POST", chance.choice(PATHS), [*about, *more])


def _lengths(chance: random.Random, target: Target) -> Shot:
    """A Content-Length that is none, too small, or too large."""
    sent = _post(chance, target, [("Content-Length", chance.choice(LENGTHS)), CLOSE])
    return Shot((sent, BODY), silent=True, listens_s=0.7, answers=2)


def _cut(chance: random.Random, target: Target) -> Shot:
    """Who goes away anywhere within a request."""
    whole = _post(chance, target, [("Content-Length", str(len(BODY)))]) + BODY
    return Shot((whole[: chance.randrange(1, len(whole))],), silent=True, hang_up=True)


def _coding(chance: random.Random, target: Target) -> Shot:
    """A Transfer-Encoding that nobody has, or chunks that are none."""
    sent = _post(chance, target, [("Transfer-Encoding", chance.choice(CODINGS)), CLOSE])
    return Shot((sent, chance.choice(CHUNKS)), silent=True, listens_s=0.7)


def _smuggled(chance: random.Random, target: Target) -> Shot:
    """A second request within the body of a first whose two lengths contradict each other: one answer, or none."""
    inner = head("GET", "/healthz", [("Host", target.host)])
    lengths: list[tuple[str | bytes, str | bytes]] = [
        ("Content-Length", str(chance.choice((0, 4, 5, len(inner) + 5)))),
        (chance.choice(("Transfer-Encoding", "transfer-encoding", "Transfer-Encoding ", "X\r\nTransfer-Encoding")),
         chance.choice(CODINGS)),
    ]  # fmt: skip
    chance.shuffle(lengths)
    return Shot((_post(chance, target, lengths), b"0\r\n\r\n" + inner), silent=True, listens_s=0.7)


def _pipelined(chance: random.Random, target: Target) -> Shot:
    """Many at once on one connection; each may have its answer."""
    count = chance.randrange(2, 40)
    one = head(chance.choice(("GET", "DELETE")), "/healthz", [("Host", target.host)])
    last = head("GET", "/healthz", [("Host", target.host), CLOSE])
    return Shot((one * (count - 1) + last,), answers=count)


def _no_http(chance: random.Random, target: Target) -> Shot:
    """Another protocol, another version, or what is close to HTTP."""
    return Shot((chance.choice(NO_HTTP),), silent=True, listens_s=0.7, answers=2)


def _upgrade(chance: random.Random, target: Target) -> Shot:
    """Another protocol is asked for politely."""
    about: Headers = [("Host", target.host), *bearer(chance, target), *chance.choice(UPGRADES)]
    sent = head("GET", chance.choice(("/", "/v1/events", "/healthz", "/v1/jobs")), about)
    return Shot((sent, b"\x81\x85\x00\x00\x00\x00hello"), silent=True, listens_s=0.7, answers=2)


def _long_line(chance: random.Random, target: Target) -> Shot:
    """A request line longer than anybody reads."""
    size = chance.choice((8000, 8190, 8192, 9000, 70_000, 500_000))
    path = "/v1/jobs" + chance.choice(("/", "?cursor=", "?", "/../")) + chance.choice("a/%&=") * size
    return Shot((head("GET", path, [("Host", target.host), *bearer(chance, target), CLOSE]),))


KINDS: tuple[Callable[[random.Random, Target], Shot], ...] = (
    _lengths, _cut, _coding, _smuggled, _pipelined, _no_http, _upgrade, _long_line,
)  # fmt: skip
