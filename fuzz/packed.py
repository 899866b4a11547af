"""Compressed bodies: bombs, halves, several in a row, and what is called compressed and is not."""

from __future__ import annotations

import functools
import gzip
import json
import random
import zlib

from fuzz.places import form
from fuzz.shot import Shot, Target, bearer, request

__all__ = ["packed"]

GOOD = json.dumps({"task": "echo", "text": "Never seen."}).encode()
MiB = 1 << 20


squeezed = functools.partial(gzip.compress, compresslevel=9, mtime=0)  # no clock in it: the same bytes again


@functools.cache
def bomb(size: int, kind: str) -> bytes:
    """So many bytes of JSON, or of a form, as small as they get."""
    inside = b"x" * size
    whole = b'{"task":"echo","text":"' + inside + b'"}' if kind == "json" else form(inside)
    return squeezed(whole)


def packed(chance: random.Random, target: Target) -> Shot:
    """One of them, to a place that takes bodies."""
    kind = chance.choice(("json", "json", "form", "document", "login"))
    path = {"form": chance.choice(("/v1/jobs", "/ui/jobs")), "document": "/v1/jobs?task=echo", "login": "/login"}.get(
        kind, chance.choice(("/v1/jobs", "/kafka/pushToConsumers", "/v1/jobs/cancel"))
    )
    types = {
        "form": "multipart/form-data; boundary=f",
        "document": "text/plain",
        "login": "application/x-www-form-urlencoded",
    }
    about = [
        ("Content-Type", types.get(kind, "application/json")),
        ("Content-Encoding", chance.choice(("gzip", "gzip", "gzip", "deflate", "GZIP", "gzip, deflate"))),
    ]
    sent = request("POST", path, [*bearer(chance, target), *about], _content(chance, kind), target.host)
    return Shot((sent,), path.partition("?")[0])


def _content(chance: random.Random, kind: str) -> bytes:
    shape = chance.random()
    if shape < 0.1:
        return bomb(chance.choice((2 * MiB, 20 * MiB, 100 * MiB)), "form" if kind == "form" else "json")
    whole = squeezed(form(b"A line.") if kind == "form" else GOOD)
    at = chance.randrange(1, len(whole))
    return chance.choice(
        (
            whole,
            whole[:at],
            whole + whole,
            whole + b"rest",
            whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :],
            GOOD,
            b"",
            b"\x1f\x8b" + b"\xff" * 60,
            zlib.compress(GOOD),
            zlib.compress(GOOD)[2:-4],
            squeezed(whole),
            squeezed(b""),
        )
    )
