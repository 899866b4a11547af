"""One request as the bytes that are sent, and what may be expected of its answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["CLOSE", "Draw", "Shot", "Target", "bearer", "head", "request", "times"]

Headers = Sequence[tuple[str | bytes, str | bytes]]
CLOSE = ("Connection", "close")
MOST_BYTES = 4 << 20  # of a request: four times what the worker takes, and no more, or chance fills our own memory


@dataclass(frozen=True, slots=True)
class Shot:
    """Pieces that are sent one after another, with so many seconds between them.

    `answers`: more than so many are somebody else's. `silent`: no answer is one too. `hang_up`: the sending side is
    closed behind the last piece. `listens_s`: how long is listened, where the connection may rightly stay open: behind
    the beginning of an answer, or, where there may be none, at all.
    """

    pieces: tuple[bytes, ...]
    route: str = ""
    pause_s: float = 0.0
    answers: int = 1
    silent: bool = False
    hang_up: bool = False
    listens_s: float | None = None

    @property
    def sent(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Target:
    """Where shots go, and what is known there: keys by who has them, ids of jobs that are the shooters' own."""

    port: int
    keys: Mapping[str, str]
    jobs: Sequence[str] = ()
    documents: Sequence[bytes] = field(default=(b"A line.\nAnother.\n",))

    @property
    def host(self) -> str:
        """As a request names it."""
        return f"127.0.0.1:{self.port}"


#: Makes a request of chance alone.
Draw = Callable[[random.Random, Target], Shot]


def head(method: str | bytes, path: str | bytes, headers: Headers, version: bytes = b"HTTP/1.1") -> bytes:
    """A request's line and headers, as they are, whatever is in them."""
    lines = [b" ".join((_raw(method), _raw(path), version))]
    lines += [_raw(name) + b": " + _raw(value) for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def request(method: str | bytes, path: str | bytes, headers: Headers, body: bytes = b"", host: str = "a") -> bytes:
    """A request whose framing is right, and whose connection ends behind it."""
    named = {_raw(name).lower() for name, _ in headers}
    own: list[tuple[str | bytes, str | bytes]] = [] if b"host" in named else [("Host", host)]
    if b"content-length" not in named and b"transfer-encoding" not in named and (body or method in ("POST", "PUT")):
        own.append(("Content-Length", str(len(body))))
    return head(method, path, [*own, *headers, CLOSE]) + body


def times(wanted: int, size: int) -> int:
    """How often something of that size may stand in a request, if it should so many times: within `MOST_BYTES`."""
    return max(1, min(wanted, MOST_BYTES // max(1, size)))


def bearer(chance: random.Random, target: Target) -> list[tuple[str | bytes, str | bytes]]:
    """Somebody's key, mostly; or none, or none that is one."""
    who = chance.choice([*target.keys, "anna", "anna", "anna", "anna", "anna", "nobody", "garbage"])
    if who == "nobody":
        return []
    garbage = f"streamapp_{'a' * 12}_{'a' * chance.choice((1, 43, 44, 5000))}"
    return [("Authorization", f"Bearer {target.keys.get(who, garbage)}")]


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
