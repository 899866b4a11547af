"""JSON that is hard to read: deep, huge, doubled, of no Unicode, or simply with something else in a field's place."""

from __future__ import annotations

import json
import random
from typing import Any

from fuzz.places import PLACES, filled
from fuzz.shot import Shot, Target, bearer, request, times

__all__ = ["words"]

NUMBERS = ("1e999", "-1e999", "1e-999", "9" * 5000, "-0", "-0.0", "1E400", "0." + "1" * 5000, "NaN", "Infinity",
           "-Infinity", "01",
           "1.", ".5", "0x10", "1_000", "+1", "9223372036854775808", "1e308", "2e308")  # fmt: skip
STRINGS = ('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\x00"', '"\\x41"', "'a'", '"' + "a" * 70_000 + '"',
           '"\\ufeff"', '"\\uD83D"',
           '"a\nb"', '""', '" "', '"\\u202e"', '"‮"')  # fmt: skip
OTHERS = (
    "null",
    "true",
    "[]",
    "{}",
    "[[]]",
    '{"a":{}}',
    "",
    ",",
    "undefined",
    "[1,]",
    "{,}",
    "/**/",
    '{"__proto__":1}',
)
FIELDS = ("task", "text", "document", "media_type", "name", "params", "email", "webhook", "priority", "deadline",
          "fresh",
          "limit", "cursor", "status", "dry_run", "job", "key", "Task", "\ud800", "")  # fmt: skip
GOOD: dict[str, tuple[Any, ...]] = {
    "task": ("echo", "Echo", "summarize", "../echo"),
    "text": ("A line.", "\u0000", "a" * 5000, "\ufeffb", "‮"),
    "document": ("QSBsaW5lLg==", "QQ", "____", "=" * 100, "A" * 70_000),
    "media_type": ("text/plain", "text/html", "text/plain; charset=utf-16", "application/pdf", "text", "a/b\r\nc: d"),
    "email": ("a@example.com", "a@b@c", '"a b"@example.com', "a@" + "b" * 300, "é@é.é", "a@[127.0.0.1]",
              "a@example.com\n"),
    "webhook": ("http://127.0.0.1:1/", "https://example.com/", "file:///etc/passwd", "http://[::1]/",
                "http://2130706433/", "//a", "http://a@b/",
                "gopher://a", "https://" + "a" * 3000, "http://127.0.0.1:99999/", "https://xn--/"),
    "params": ({"chunk": 100}, {"chunk": 10**30}, {"chunk": -1}, {"chunk": "1"}, {"a": {"b": []}}),
    "priority": (0, 3, -3, 4, 10**400, 1.5, True),
    "deadline": ("2030-01-01T00:00:00Z", "2030-13-01T00:00:00Z", "0000-00-00T00:00:00Z", "2027-01-01T00:00:00+99:99",
                 1e18),
    "fresh": (True, "yes", 1),
    "name": ("a", "a\u0000b", "a" * 201, "../../a", "a\r\nb", "‮txt"),
    "status": ("failed", ["failed", "queued"], [], [[]], "no"),
    "dry_run": (True, False, "no"),
    "limit": (1, 0, -1, 10**30),
    "cursor": ("a", "", None),
}  # fmt: skip
TAKES = tuple(place for place in PLACES if place.kind == "application/json")


def words(chance: random.Random, target: Target) -> Shot:
    """A request with a body that should be JSON."""
    place = chance.choice(TAKES)
    kind = chance.choice(
        ("application/json",) * 8 + ("application/x+json", "text/json", "application/json; charset=utf-16", "")
    )
    about = [*bearer(chance, target), *([("Content-Type", kind)] if kind else [])]
    sent = request(place.method, filled(chance, target, place.path), about, _body(chance), target.host)
    return Shot((sent,), place.path)


def _body(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.15:
        return _deep(chance)
    if kind < 0.2:
        return chance.choice((*NUMBERS, *STRINGS, *OTHERS)).encode()
    if kind < 0.5:
        return _written(chance).encode("utf-8", "surrogatepass")
    body = json.dumps(_fields(chance), ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    if kind < 0.9:
        return body
    at = chance.randrange(len(body))
    return chance.choice(
        (
            body[:at],
            body[:at] + b"\xff" + body[at:],
            body.decode("utf-8", "replace").encode("utf-16"),
            body * 2,
            b"\xef\xbb\xbf" + body,
        )
    )


def _deep(chance: random.Random) -> bytes:
    depth = chance.choice((60, 64, 65, 500, 512, 513, 1000, 100_000))
    opens, closes = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"params":', b"}"), (b"[{},", b"]")))
    inner = opens * depth + chance.choice((b"1", b"")) + closes * chance.choice((depth, 0))
    return chance.choice((inner, b'{"task":"echo","text":"a","params":' + inner + b"}"))


def _written(chance: random.Random) -> str:
    """Text, since no library writes what is none: the same key twice, numbers beyond all, halves of pairs."""
    pairs = [
        f"{json.dumps(chance.choice(FIELDS))}:{chance.choice(chance.choice((NUMBERS, STRINGS, OTHERS)))}"
        for _ in range(chance.choice((1, 2, 8)))
    ]
    if chance.random() < 0.5:
        pairs = ['"task":"echo"', '"text":"a"', *pairs]
    if chance.random() < 0.1:
        pairs *= times(chance.choice((2, 1000)), sum(map(len, pairs)))
    return "{" + ",".join(pairs) + "}"


def _fields(chance: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {"task": "echo", "text": "Never seen."} if chance.random() < 0.7 else {}
    for name in chance.sample(tuple(GOOD), chance.choice((1, 1, 2, 4))):
        body[name] = chance.choice(GOOD[name])
    return body
