"""Asks for what is another tenant's, and for what nobody has: the two answers may differ in what was asked alone."""

from __future__ import annotations

import random
import re
import uuid
from dataclasses import dataclass

from fuzz.shot import Shot, Target, request

__all__ = ["Things", "answers_differ", "strangers"]

PATHS = (
    ("GET", "/v1/jobs/{job}"), ("HEAD", "/v1/jobs/{job}"), ("DELETE", "/v1/jobs/{job}"), ("DELETE",
    "/v1/jobs/{job}/data"),
    ("GET", "/v1/jobs/{job}/report"), ("GET", "/v1/jobs/{job}/report.txt"), ("GET", "/v1/jobs/{job}/partial"), ("GET",
    "/v1/jobs/{job}/plot"),
    ("GET", "/v1/jobs/{job}/attachments/1"), ("GET", "/v1/jobs/{job}/events"), ("HEAD", "/v1/jobs/{job}/events"),
    ("POST", "/v1/jobs/{job}/retry"),
    ("GET", "/jobs/{job}"), ("POST", "/ui/jobs/{job}/cancel"), ("POST", "/ui/jobs/{job}/retry"), ("POST",
    "/v1/notifications/{line}/read"),
    ("POST", "/ui/notifications/{line}/read"), ("GET", "/v1/dead-letters/{letter}"), ("POST",
    "/v1/dead-letters/{letter}/redrive"),
    ("POST", "/v1/dead-letters/{letter}/discard"), ("POST", "/v1/deliveries/{parked}/sent"), ("POST",
    "/v1/deliveries/{parked}/resend"),
)  # fmt: skip
DATE = re.compile(rb"\r\nDate: [^\r]*", re.IGNORECASE)
LENGTH = re.compile(rb"\r\nContent-Length: \d+", re.IGNORECASE)
ID_BYTES = 8  # ids are longer, and no word of a path is that stands in an answer too
HEADERS = ("Accept", "If-None-Match", "Prefer", "Last-Event-ID", "Idempotency-Key", "Range")
VALUES = ("*/*", "text/html", "*", "wait=0", "1", '"a"', "bytes=0-1", "text/plain")


@dataclass(frozen=True, slots=True)
class Things:
    """What a tenant has: a job that ended, a line in its inbox, a dead letter, a parked e-mail."""

    job: str
    line: int
    letter: int
    parked: str

    def none_of_them(self, chance: random.Random) -> Things:
        """Ids of the same look that nobody has."""
        new = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        return Things(
            new, chance.randrange(10**8, 10**9), chance.randrange(10**8, 10**9), f"{chance.getrandbits(256):064x}"
        )


def strangers(chance: random.Random, target: Target, hers: Things, key: str) -> tuple[Shot, Shot]:
    """The same request for hers and for nobody's, with somebody else's key."""
    method, path = chance.choice(PATHS)
    names = chance.sample(HEADERS, chance.choice((0, 1, 2)))
    about = [("Authorization", f"Bearer {key}"), *((name, chance.choice(VALUES)) for name in names)]
    body = chance.choice((b"", b"{}", b'{"deadline": null}')) if method == "POST" else b""
    if body:
        about.append(("Content-Type", "application/json"))
    query = chance.choice(("", "", "?a=b", "?limit=1"))

    def made(things: Things) -> Shot:
        named = path.format(job=things.job, line=things.line, letter=things.letter, parked=things.parked)
        return Shot((request(method, named + query, about, body, target.host),), path)

    return made(hers), made(hers.none_of_them(chance))


def answers_differ(one: tuple[Shot, bytes], other: tuple[Shot, bytes]) -> bool:
    """Whether more of them is different than the time and what each asked for."""
    return _without_the_asked(*one) != _without_the_asked(*other)


def _without_the_asked(shot: Shot, answer: bytes) -> bytes:
    """Lengths go too: an id of more digits makes a longer sentence; the bodies are compared anyway."""
    path = shot.sent.split(b" ", 2)[1].split(b"?")[0]
    for part in (path, *path.split(b"/")):
        answer = answer.replace(part, b"*") if len(part) >= ID_BYTES else answer
    return LENGTH.sub(b"", DATE.sub(b"", answer))
