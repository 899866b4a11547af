"""Paths, methods and queries: up and out, written twice, of no Unicode, far too long, or somebody else's."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from urllib.parse import quote

from fuzz.places import PLACES, filled
from fuzz.shot import Shot, Target, bearer, request

__all__ = ["routes"]

TRICKS = (
    "/../../../etc/passwd", "/..;/", "/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/", "//", "///", "/./", "/.", "/%00",
    "/%0d%0aX:%20y",
    "/%c0%ae%c0%ae/", "/%e0%80%ae/", "/%ff", "/%ed%a0%80", "/%", "/%zz", "/\\..\\", "/%5c..%5c", ";a=b", "/*", "/~",
    "%20", "%2f",
    "?", "??", "#", "#/../", "/🦉", "/%F0%9F%A6%89", "/\x7f", "/%u002e", "/.git/config", "/index.php",
    "/static/../../setup.cfg",
)  # fmt: skip
METHODS = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "SEARCH", "PURGE",
    "LINK", "M-SEARCH",
    "get", "FUZZ", "G" * 300, "QUERY",
)  # fmt: skip
STATUSES = ("queued", "failed,failed", ",", "", "QUEUED", "succeeded&status=failed", "%00", "no")
TIMES = (
    "0",
    "now",
    "2030-01-01T00:00:00Z",
    "2030-01-01",
    "99999-01-01T00:00:00Z",
    "0001-01-01T00:00:00%2B23:59",
    "%FF",
    "-1",
    "1e9",
)
NAMES = ("limit", "cursor", "status", "task", "created_after", "created_before", "email", "error", "delivery",
         "lastEventId",
         "media_type", "name", "params", "priority", "fresh", "deadline", "webhook", "state", "source", "job", "a",
         "__class__", "%00", "")  # fmt: skip
VALUES = ("0", "-1", "101", "1e3", "9" * 18, "9" * 500, "null", "true", "[]", "{}", "a" * 600, "%FF", "%00",
          "%ED%A0%80", "%", "٣",
          "a@b", "a%0d%0ab", "'", "%25", "_", "100%", "\\", "a&a=b", "NaN", "1.5", "%F0%9F%A6%89" * 100)  # fmt: skip


def routes(chance: random.Random, target: Target) -> Shot:
    """A request whose line is odd."""
    place = chance.choice(PLACES)
    path, method = filled(chance, target, place.path), place.method
    kind = chance.random()
    if kind < 0.3:
        path = _bent(chance, path)
    elif kind < 0.45:
        method = chance.choice(METHODS)
    elif kind < 0.55:
        path = chance.choice(
            (f"http://{target.host}{path}", f"http://evil.example{path}", f"//evil.example{path}", "*", path[1:], "a:b")
        )
    else:
        path += "?" + "&".join(_pair(chance) for _ in range(chance.choice((1, 1, 2, 3, 40))))
    about = [*bearer(chance, target), *([("Content-Type", place.kind)] if place.kind else [])]
    sent = request(method, path, about, place.body, target.host)
    asked = replace(place, method=method)  # what asks for a stream's head may have become what asks for the stream
    return Shot((sent,), place.path, silent=asked != place, listens_s=0.4 if asked.streams else None)


def _bent(chance: random.Random, path: str) -> str:
    at = chance.choice([number for number, letter in enumerate(path) if letter == "/"] or [0])
    trick = chance.choice(TRICKS)
    return chance.choice((path[:at] + trick + path[at:], path + trick, quote(path, safe=""), path.upper(), path + "/"))


def _pair(chance: random.Random) -> str:
    name = chance.choice(NAMES)
    value = {
        "status": lambda: chance.choice(STATUSES),
        "cursor": lambda: cursor(chance),
        "created_after": lambda: chance.choice(TIMES),
        "created_before": lambda: chance.choice(TIMES),
    }.get(name, lambda: chance.choice(VALUES))()
    return name + chance.choice(("=", "=", "=", "", "==")) + value


def cursor(chance: random.Random) -> str:
    """What looks like one, and may even be one."""
    inner: object = chance.choice(
        ([1e9, "a"], [1e999, "a"], ["a", 1], [0, None], [[]], {}, [1, "a" * 9000], [-1e308, "\ud800"], 3, [True, True])
    )
    packed = base64.urlsafe_b64encode(json.dumps(inner).encode()).decode().rstrip("=")
    return chance.choice((packed, packed[:-1], packed + "=", "A" * 8000, "%00", "=", packed.swapcase()))
