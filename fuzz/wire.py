"""Sends a shot over a socket of its own, and reads what comes back as a client would that trusts nothing."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from dataclasses import dataclass

from fuzz.shot import Shot

__all__ = ["Answer", "answers_in", "fire"]

PATIENCE_S = 30.0
MOST = 4 << 20  # bytes that are read of an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: each answer's status and body, and how long it took.

    `ended` is ``closed``, ``reset`` or ``silence``, when nothing more came for as long as was listened. `strange` are
    bytes that are no answer.
    """

    statuses: tuple[int, ...]
    seconds: float
    ended: str
    data: bytes = b""
    strange: bytes = b""


class _Stream(io.BytesIO):
    """Stays open when `http.client` is through with an answer: the next one may follow."""

    def makefile(self, *_: object) -> _Stream:
        """Itself, as a socket's would be."""
        return self

    def close(self) -> None:
        """Not yet."""


def fire(port: int, shot: Shot, patience_s: float = PATIENCE_S) -> Answer:
    """Send it and listen until the other side closes. Raises `OSError` when nobody listens there."""
    began = time.monotonic()
    if shot.silent and shot.listens_s is not None:
        patience_s = shot.listens_s
    with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as line:
        with contextlib.suppress(OSError):  # who refuses a request may close before all of it was sent
            _send(line, shot)
        data, ended = _listen(line, began + patience_s + shot.pause_s * len(shot.pieces), shot.listens_s)
    # what can't be read is answered in HTTP/1.0, with a body, whatever its method was
    statuses, strange = answers_in(data, head_only=shot.sent.startswith(b"HEAD ") and data.startswith(b"HTTP/1.1"))
    return Answer(statuses, time.monotonic() - began, ended, data, strange)


def _send(line: socket.socket, shot: Shot) -> None:
    for number, piece in enumerate(shot.pieces):
        if number and shot.pause_s:
            time.sleep(shot.pause_s)
        line.sendall(piece)
    if shot.hang_up:
        line.shutdown(socket.SHUT_WR)


def _listen(line: socket.socket, until: float, behind_s: float | None) -> tuple[bytes, str]:
    """What comes until then; of an answer that has no end, what comes in so many seconds behind its beginning."""
    data = bytearray()
    while len(data) < MOST:
        line.settimeout(max(0.01, until - time.monotonic()))
        try:
            piece = line.recv(1 << 16)
        except TimeoutError:
            return bytes(data), "silence"
        except OSError:
            return bytes(data), "reset"
        if not piece:
            break
        if not data and behind_s is not None:
            until = min(until, time.monotonic() + behind_s)
        data += piece
    return bytes(data), "closed"


def answers_in(data: bytes, *, head_only: bool = False) -> tuple[tuple[int, ...], bytes]:
    """The statuses of all answers in these bytes, interim ones left out, and what is none."""
    stream = _Stream(data)
    found: list[int] = []
    while (start := stream.tell()) < len(data):
        response = http.client.HTTPResponse(stream, method="HEAD" if head_only else "GET")  # type: ignore[arg-type]
        try:
            response.begin()
        except (http.client.HTTPException, ValueError, OSError):
            return tuple(found), data[start:]
        found.append(response.status)
        with contextlib.suppress(http.client.HTTPException, ValueError):  # cut off where listening ended
            response.read()
    return tuple(found), b""
