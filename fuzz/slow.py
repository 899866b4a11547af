"""Clients that dribble: heads and bodies a few bytes at a time, answers that nobody reads, and then they go away.

They hold a connection for seconds, so they have threads of their own and are few.
"""

from __future__ import annotations

import random

from fuzz.places import form
from fuzz.shot import Headers, Shot, Target, bearer, head

__all__ = ["slow"]

BODY = b'{"task": "echo", "text": "Slowly."}'
FORM = form(b"Slowly.")


def slow(chance: random.Random, target: Target) -> Shot:
    """A request in many pieces, whole or with its end missing."""
    form = chance.random() < 0.4
    body = FORM if form else BODY
    about: Headers = [
        ("Host", target.host),
        *bearer(chance, target),
        ("Content-Type", "multipart/form-data; boundary=f" if form else "application/json"),
        *(
            [("Transfer-Encoding", "chunked")]
            if (chunked := chance.random() < 0.3)
            else [("Content-Length", str(len(body)))]
        ),
    ]
    lines = head("POST", chance.choice(("/v1/jobs", "/kafka/pushToConsumers", "/ui/jobs", "/login")), about)
    framed = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n" if chunked else body
    whole = lines + framed
    if chance.random() < 0.5:
        whole = whole[: chance.randrange(1, len(whole))]
    size = max(1, len(whole) // chance.choice((3, 10, 30)))
    pieces = tuple(whole[start : start + size] for start in range(0, len(whole), size))
    return Shot(pieces, pause_s=chance.choice((0.02, 0.1)), silent=True, hang_up=chance.random() < 0.5, listens_s=1.0)
