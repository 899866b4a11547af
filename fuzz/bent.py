"""Good requests with bytes changed, left out, doubled or put in: nobody's idea of what could be wrong."""

from __future__ import annotations

import random

from fuzz.places import PLACES, filled, form
from fuzz.shot import Shot, Target, bearer, request

__all__ = ["bent"]

FORM = form(b"A line.")
STRANGE = (
    b"\x00",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\xff",
    b'"',
    b"%",
    b":",
    b" ",
    b"{",
    b"\\",
    b"0",
    b"--f",
    b"\xed\xa0\x80",
    b"A" * 9000,
)


def bent(chance: random.Random, target: Target) -> Shot:
    """One of the good ones, changed in a few places."""
    place = chance.choice(PLACES)
    body, kind = (
        (FORM, "multipart/form-data; boundary=f")
        if place.path in ("/v1/jobs", "/ui/jobs") and chance.random() < 0.5
        else (place.body, place.kind)
    )
    about = [*bearer(chance, target), *([("Content-Type", kind)] if kind else [])]
    method = "POST" if body is FORM else place.method
    sent = bytearray(request(method, filled(chance, target, place.path), about, body, target.host))
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        _bend(chance, sent)
    return Shot((bytes(sent),), place.path, silent=True, answers=2, listens_s=0.7)


def _bend(chance: random.Random, sent: bytearray) -> None:
    at = chance.randrange(len(sent)) if sent else 0
    size = chance.choice((1, 1, 4, 30))
    kind = chance.random()
    if kind < 0.3 and sent:
        sent[at] = chance.randrange(256)
    elif kind < 0.5:
        del sent[at : at + size]
    elif kind < 0.75:
        sent[at:at] = chance.choice(STRANGE)
    else:
        sent[at:at] = sent[at : at + size] * chance.choice((1, 3, 50))
