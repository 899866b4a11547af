"""Bad input over HTTP: each is refused with a problem document that names the field, and leaves no trace."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import sqlite3
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.testing.deployment import FINAL, Deployment, until

LIMIT = 1 << 20  # of the shared deployment
PARTITIONS = 8
UNNAMED, URLENCODED = "application/octet-stream", "application/x-www-form-urlencoded"
BOUNDARY = "----------------frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
UUID = "0b9e2f0e-6a3c-4a38-9a6e-1f7a3f6f2c10"


@dataclass(frozen=True)
class Case:
    """A request, and how it must be refused."""

    name: str
    status: int
    wrong: str
    body: bytes | list[bytes] = b""
    method: str = "POST"
    path: str = "/v1/jobs"
    headers: dict[str, Any] = field(default_factory=dict)


def raw(name: str, status: int, wrong: str, body: bytes, **headers: str) -> Case:
    """JSON that is sent as these bytes."""
    return Case(name, status, wrong, body, headers={"Content-Type": "application/json", **_named(headers)})


def fields(label: str, wrong: str, /, *, status: int = 422, **changed: Any) -> Case:
    """A good body with some fields changed; a field that is `...` is left out."""
    body = {"task": "echo", "text": "Never seen.", **changed}
    sent = json.dumps({key: value for key, value in body.items() if value is not ...})
    return raw(label, status, wrong, sent.encode())


def form(
    name: str, status: int, wrong: str, *parts: bytes, end: bytes = b"--", packed: bool = False, **headers: str
) -> Case:
    """A form of these parts, each with its headers."""
    body = b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY.encode(), part) for part in parts)
    sent = body + b"--%s%s\r\n" % (BOUNDARY.encode(), end)
    if packed:
        sent, headers = gzip.compress(sent), {"Content_Encoding": "gzip", **headers}
    return Case(name, status, wrong, sent, headers={"Content-Type": FORM, **_named(headers)})


def part(name: str, content: str | bytes, *lines: str, filename: str | None = None) -> bytes:
    """One part of a form."""
    about = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    content = content.encode() if isinstance(content, str) else content
    return "\r\n".join([about, *lines]).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content


def file(content: bytes, kind: str, *lines: str, filename: str = "a.txt") -> bytes:
    """The part with the file."""
    return part("file", content, f"Content-Type: {kind}", *lines, filename=filename)


def typed(name: str, status: int, wrong: str, body: bytes, kind: str) -> Case:
    """A body of this content type."""
    return Case(name, status, wrong, body, headers={"Content-Type": kind})


def raw_document(name: str, status: int, wrong: str, body: bytes, query: str = "task=echo", **headers: str) -> Case:
    """A document sent as it is, with its fields in the query."""
    given = {"Content-Type": "text/plain", **_named(headers)}
    return Case(name, status, wrong, body, path=f"/v1/jobs?{query}", headers=given)


def cut(case: Case, after: bytes) -> Case:
    """The request up to these bytes."""
    assert isinstance(case.body, bytes)
    return replace(case, body=case.body[: case.body.rindex(after) + len(after)])


def after_preamble(case: Case) -> Case:
    """The form behind three MiB that no reader looks at."""
    assert isinstance(case.body, bytes)
    return replace(case, body=b"x\r\n" * LIMIT + case.body)


def nested(depth: int) -> dict[str, Any]:
    """Objects within objects."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def in_chunks(case: Case) -> Case:
    """The same request sent in chunks, without a Content-Length."""
    assert isinstance(case.body, bytes)
    return replace(case, body=[case.body[start : start + (1 << 16)] for start in range(0, len(case.body), 1 << 16)])


def _time(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


GOOD = b'{"task": "echo", "text": "Never seen."}'
LARGE = b'{"task": "echo", "text": "' + b"x" * LIMIT + b'"}'
BOMB = b'{"task": "echo", "text": "' + b"x" * (5 * LIMIT) + b'"}'
TASK = part("task", "echo")
TEXT = file(b"Never seen.", "text/plain")
LARGE_FILE = file(b"x" * (LIMIT + 1), "text/plain")
TRANSFER = "Content-Transfer-Encoding: "

NO_JSON = [
    raw("no body", 400, "body", b""),
    raw("half a body", 400, "body", GOOD[:-1]),
    raw("two values", 400, "body", GOOD + GOOD),
    raw("words", 400, "body", b"a book"),
    raw("single quotes", 400, "body", b"{'task': 'echo'}"),
    raw("no UTF-8", 400, "body", '{"task": "echo", "text": "café"}'.encode("latin-1")),
    raw("UTF-16", 400, "body", GOOD.decode().encode("utf-16")),
    raw("NaN", 400, "body", b'{"task": "echo", "text": "a", "priority": NaN}'),
    raw("a number beyond all", 400, "body", b'{"task": "echo", "text": "a", "priority": 1e999}'),
    raw("a number of 5,000 digits", 400, "body", b'{"task": "echo", "text": "a", "priority": %s}' % (b"9" * 5000)),
    raw("deep", 400, "body", b"[" * 100_000 + b"]" * 100_000),
    fields("deep params", "params", status=400, params=nested(70)),
]
BESIDE = [
    Case(
        "JSON beside a query",
        422,
        "task",
        GOOD,
        path="/v1/jobs?task=echo",
        headers={"Content-Type": "application/json"},
    ),
    Case("a form beside a query", 422, "email", b"", path="/v1/jobs?email=a", headers={"Content-Type": FORM}),
]
TWICE = [
    raw("a key twice", 422, "text", b'{"task": "echo", "text": "Never seen.", "text": "Never seen."}'),
    raw("a parameter twice", 422, "chunk", b'{"task": "echo", "text": "a", "params": {"chunk": 1, "chunk": 2}}'),
]
NO_OBJECT = [
    raw(f"the body is {value}", 422, "body", value.encode()) for value in ("[]", "null", "3", '"text"', "true", "[{}]")
]
FIELDS = [
    fields("unknown task", "task", task="no-such-task"),
    fields("no task", "task", task=...),
    fields("task is null", "task", task=None),
    fields("task is a number", "task", task=3),
    fields("task with half a pair", "task", task="\ud800"),
    fields("no document", "text", text=...),
    fields("text is null", "text", text=None),
    fields("text is a number", "text", text=42),
    fields("text is a list", "text", text=["a"]),
    fields("text is empty", "text", text=""),
    fields("text is blank", "text", text=" \t\n\u00a0\u2003"),
    fields("text is a byte order mark", "text", text="\ufeff"),
    fields("text is NULs", "text", text="\0\0\0"),
    fields("text holds a NUL", "text", text="a\0b"),
    fields("text holds half a pair", "text", text="a \ud83d b"),
    fields("text holds the other half", "text", text="\ude00"),
    fields("params hold half a pair", "params.a.1.b", params={"a": ["", {"b": "\udfff"}]}),
    fields("a key of params is half a pair", "params", params={"\ud800": 1}),
    fields("a key is half a pair", "body", **{"\udfff": 1}),
    fields("unknown field", "colour", colour="red"),
    fields("unknown field with a look-alike", "Text", Text="a"),
    fields("params is a list", "params", params=[]),
    fields("params is null", "params", params=None),
    fields("params of another task", "params.sentences_per_chapter", params={"sentences_per_chapter": 3}),
    fields("params out of range", "params.chunk", params={"chunk": 0}),
    fields("params of another type", "params.chunk", params={"chunk": [1]}),
    fields("priority too high", "priority", priority=4),
    fields("priority too low", "priority", priority=-4),
    fields("priority far too high", "priority", priority=10**40),
    fields("priority is a fraction", "priority", priority=1.5),
    fields("priority is text", "priority", priority="1"),
    fields("priority is true", "priority", priority=True),
    fields("priority is null", "priority", priority=None),
    fields("deadline has passed", "deadline", deadline=_time(seconds=-60)),
    fields("deadline in a year", "deadline", deadline=_time(days=365)),
    fields("deadline is a number", "deadline", deadline=1893456000),
    fields("deadline has no offset", "deadline", deadline=_time(hours=1)[:19]),
    fields("deadline is a day", "deadline", deadline="2030-01-31"),
    fields("deadline is words", "deadline", deadline="tomorrow"),
    fields("deadline out of all calendars", "deadline", deadline="99999-01-01T00:00:00Z"),
    fields("name is long", "name", name="n" * 201),
    fields("name is two lines", "name", name="a\nb"),
    fields("name is empty", "name", name=""),
    fields("media type of two lines", "media_type", media_type="text/plain\r\nX: y"),
    fields("media type that is not taken", "media_type", status=415, media_type="application/pdf"),
    fields("text and document", "document", document="YQ==", media_type="text/plain"),
    fields("document without its type", "media_type", text=..., document="YQ=="),
    fields("document is no base64", "document", text=..., document="a book", media_type="text/plain"),
    fields("document of another alphabet", "document", text=..., document="_-8=", media_type="text/plain"),
    fields("document is a number", "document", text=..., document=3, media_type="text/plain"),
    fields("document is empty", "document", text=..., document="", media_type="text/plain"),
    fields("document is blank", "document", text=..., document="ICAg", media_type="text/plain"),
    fields("document is NULs", "document", text=..., document="AAAA", media_type="text/plain"),
    fields("document is no UTF-8", "document", text=..., document="/w==", media_type="text/plain"),
    fields(
        "document in an unknown charset",
        "document",
        text=...,
        document="YQ==",
        media_type="text/plain; charset=no-such",
    ),
    fields(
        "document with half a pair in its charset",
        "document",
        text=...,
        document=base64.b64encode(b"+2AA-").decode(),
        media_type="text/plain; charset=utf-7",
    ),
    fields(
        "document in a charset of Python's own",
        "document",
        text=...,
        document=base64.b64encode(b"\\ud800").decode(),
        media_type="text/plain; charset=unicode_escape",
    ),
]
ADDRESSES = [
    fields(f"address {address!r}", "email", email=address)
    for address in (
        "", " ", "nobody", "@example.com", "a@", "a@b@c.com", "a b@example.com", "a@example..com", "a@-example.com",
        "a@example.com, b@example.com", "a@example.com; b@example.com", "a@example.com b@example.com",
        "A <a@example.com>", "a@example.com\r\nBcc: b@example.com", "a@example.com\nBcc: b@example.com",
        "a@example.com\r\n", "a@example.com\n", "\na@example.com", "a\r@example.com", "a@example.com\0",
        '"a\r\nBcc: b"@example.com', "a@example.com%0d%0aBcc: b@example.com", "a@[127.0.0.1]\r\n",
        "mailto:a@example.com?bcc=b@example.com", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".com",
        ["a@example.com"], {"to": "a@example.com"}, 7,
    )
]  # fmt: skip
SIZES = [
    raw("too large", 413, "body", LARGE),
    in_chunks(raw("too large in chunks", 413, "body", LARGE)),
    raw("gzip that inflates", 413, "body", gzip.compress(BOMB), Content_Encoding="gzip"),
    in_chunks(raw("gzip that inflates, in chunks", 413, "body", gzip.compress(BOMB), Content_Encoding="gzip")),
    raw("deflate that inflates", 413, "body", zlib.compress(BOMB), Content_Encoding="deflate"),
    raw("gzip that is none", 400, "body", GOOD, Content_Encoding="gzip"),
    raw("half a gzip", 400, "body", gzip.compress(GOOD * 50)[:40], Content_Encoding="gzip"),
    raw("deflate that is none", 400, "body", b"\xff" + GOOD, Content_Encoding="deflate"),
    raw("an encoding nobody has", 415, "Content-Encoding", GOOD, Content_Encoding="rot13"),
    raw("two encodings", 415, "Content-Encoding", GOOD, Content_Encoding="gzip, gzip"),
    form("form too large", 413, "body", TASK, LARGE_FILE),
    form("form too large as a text", 413, "body", TASK, part("text", b"x" * LIMIT)),
    after_preamble(form("form with a long preamble", 413, "body", TASK, TEXT)),
    in_chunks(form("form too large in chunks", 413, "body", TASK, LARGE_FILE)),
    form("form that inflates", 413, "body", TASK, LARGE_FILE, packed=True),
    raw_document("document too large", 413, "body", b"x" * (LIMIT + 1)),
    in_chunks(raw_document("document too large in chunks", 413, "body", b"x" * (LIMIT + 1))),
    raw_document("document that inflates", 415, "Content-Encoding", gzip.compress(BOMB), Content_Encoding="gzip"),
    raw_document("half a gzip", 415, "Content-Encoding", gzip.compress(GOOD * 50)[:40], Content_Encoding="gzip"),
    raw_document("document in an encoding nobody has", 415, "Content-Encoding", b"a", Content_Encoding="rot13"),
]
DOCUMENTS = [
    raw_document("empty document", 422, "document", b""),
    raw_document("blank document", 422, "document", b" \n"),
    raw_document("document of NULs", 422, "document", b"\0" * 9),
    raw_document("document of another charset", 422, "document", b"\xe9"),
    raw_document("document of a charset nobody has", 422, "document", b"a", Content_Type="text/plain; charset=no-such"),
    raw_document("document that is not taken", 415, "media_type", b"%PDF-", Content_Type="application/pdf"),
    raw_document("a form of the other kind as a document", 415, "media_type", b"a", Content_Type=URLENCODED),
    raw_document("bytes that are nothing in particular", 415, "media_type", b"\xff", Content_Type=UNNAMED),
    raw_document("document for a task nobody has", 422, "task", b"a", query="task=no-such"),
    raw_document("document for two tasks", 422, "task", b"a", query="task=echo&task=echo"),
    raw_document("document with an unknown field", 422, "colour", b"a", query="task=echo&colour=red"),
    raw_document("document and text", 422, "text", b"a", query="task=echo&text=b"),
    raw_document("document with params that are no JSON", 422, "params", b"a", query="task=echo&params=%7Bchunk"),
    raw_document(
        "document with params of another task", 422, "params.no", b"a", query="task=echo&params=%7B%22no%22:1%7D"
    ),
    raw_document("document with a word as priority", 422, "priority", b"a", query="task=echo&priority=high"),
    raw_document("document for two addresses", 422, "email", b"a", query="task=echo&email=a@example.com,b@example.com"),
    raw_document("document with a name of no Unicode", 422, "name", b"a", query="task=echo&name=%0A"),
]
FORMS = [
    typed("words as words", 415, "Content-Type", GOOD, "text/plain"),
    typed("a form of the other kind", 415, "Content-Type", b"task=echo", "application/x-www-form-urlencoded"),
    typed("multipart of another kind", 415, "Content-Type", GOOD, "multipart/mixed; boundary=a"),
    typed("no boundary", 400, "body", GOOD, "multipart/form-data"),
    typed("another boundary", 400, "body", b"--x\r\n", FORM),
    typed("a boundary too long", 400, "body", GOOD, FORM + "x" * 80),
    typed("an empty form", 400, "body", b"", FORM),
    form("cut off after the file", 400, "body", TASK, TEXT, end=b""),
    cut(form("cut off within the file", 400, "body", TASK, TEXT), after=b"Never"),
    cut(form("cut off within the boundary", 400, "body", TASK, TEXT), after=b"seen.\r\n------"),
    cut(form("cut off within the headers", 400, "body", TASK, TEXT), after=b"filename="),
    form("no parts", 422, "task, file"),
    form("a part without a name", 400, "body", TASK, b"Content-Disposition: form-data\r\n\r\nx"),
    form("a form in the form", 400, "body", TASK, file(b"--i\r\n\r\n\r\n--i--", "multipart/mixed; boundary=i")),
    form("two files", 422, "file", TASK, TEXT, TEXT),
    form("two tasks", 422, "task", TASK, TASK, TEXT),
    form("two empty texts", 422, "text", TASK, part("text", ""), part("text", ""), TEXT),
    form("unknown part", 422, "colour", TASK, TEXT, part("colour", "red")),
    form("unknown part of no Unicode", 422, "\ufffd", TASK, TEXT, part("\udcff", "red")),
    form("a file's name of no Unicode", 422, "name", TASK, file(b"a", "text/plain", filename="\udcff")),
    form("a file without a task", 422, "task", TEXT),
    form("a task without a file", 422, "file", TASK),
    form("a task and a file field that was left empty", 422, "file", TASK, part("file", "")),
    form("file and text", 422, "file", TASK, TEXT, part("text", "a")),
    form("an empty file", 422, "file", TASK, file(b"", "text/plain")),
    form("a file of NULs", 422, "file", TASK, file(b"\0" * 9, "text/plain")),
    form("a file that is not taken", 415, "media_type", TASK, file(b"%PDF-", "application/pdf")),
    form("a file of another charset", 422, "file", TASK, file(b"\xe9", "text/plain; charset=utf-8")),
    form("a transfer encoding nobody has", 400, "body", TASK, file(b"a", "text/plain", TRANSFER + "rot13")),
    form("base64 that is none", 400, "body", TASK, file(b"a", "text/plain", TRANSFER + "base64")),
    form("a task of no UTF-8", 422, "task", part("task", b"\xff"), TEXT),
    form("params that are no JSON", 422, "params", TASK, TEXT, part("params", "{chunk: 3}")),
    form("params with half a pair", 422, "params.a", TASK, TEXT, part("params", '{"a": "\\ud800"}')),
    form("params that are a list", 422, "params", TASK, TEXT, part("params", "[]")),
    form("priority that is a word", 422, "priority", TASK, TEXT, part("priority", "high")),
    form("priority too high", 422, "priority", TASK, TEXT, part("priority", "4")),
    form("two addresses", 422, "email", TASK, TEXT, part("email", "a@example.com, b@example.com")),
    form("an address with a header", 422, "email", TASK, TEXT, part("email", "a@example.com\r\nBcc: b@example.com")),
    form("a default charset too long", 400, "body", part("_charset_", "x" * 40), TASK, TEXT),
]
NAMES = [
    Case(f"PUT {name!r}", 422, "id", GOOD, "PUT", f"/v1/jobs/{name}", {"Content-Type": "application/json"})
    for name in ("1", "not-a-uuid", UUID + "0", UUID[:-1] + "g", "%00", "%FF", "%ED%A0%80", "🦉")
] + [
    raw("a key too long", 422, "Idempotency-Key", GOOD, Idempotency_Key="k" * 256),
    raw("an empty key", 422, "Idempotency-Key", GOOD, Idempotency_Key=""),
    raw("a key with a tab", 422, "Idempotency-Key", GOOD, Idempotency_Key="a\tb"),
    Case(
        "a key beyond ASCII",
        422,
        "Idempotency-Key",
        GOOD,
        headers={"Content-Type": "application/json", "Idempotency-Key": "clé".encode()},
    ),
    Case(
        "a key of no Unicode",
        422,
        "Idempotency-Key",
        GOOD,
        headers={"Content-Type": "application/json", "Idempotency-Key": b"cl\xe9"},
    ),
]
READING = [
    Case(f"GET {path}", 422, wrong, method="GET", path=path)
    for wrong, path in (
        ("limit", "/v1/jobs?limit=0"),
        ("limit", "/v1/jobs?limit=101"),
        ("limit", "/v1/jobs?limit=ten"),
        ("limit", "/v1/jobs?limit=-1"),
        ("limit", "/v1/jobs?limit="),
        ("limit", "/v1/jobs?limit=٣"),
        ("limit", "/v1/notifications?limit=0"),
        ("cursor", "/v1/jobs?cursor="),
        ("cursor", "/v1/jobs?cursor=abc"),
        ("cursor", "/v1/jobs?cursor=é"),
        ("cursor", "/v1/jobs?cursor=bnVsbA"),
        ("cursor", "/v1/notifications?cursor=abc"),
        ("cursor", "/v1/notifications?cursor=99999999999999999999"),
    )
]
CASES = [*NO_JSON, *BESIDE, *TWICE, *NO_OBJECT, *FIELDS, *ADDRESSES, *SIZES, *DOCUMENTS, *FORMS, *NAMES, *READING]


class Trace:
    """Everything that a request may leave behind: rows, blobs, messages."""

    def __init__(self, deployment: Deployment, consumer: AIOKafkaConsumer) -> None:
        self.home = deployment.home
        self._consumer = consumer
        topic = f"{deployment.prefix}inference"
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    def rows(self) -> dict[str, int]:
        """How many each table has, but for the model workers, whose beats go on."""
        with closing(sqlite3.connect(f"file:{self.home / 'streamapp.db'}?mode=ro", uri=True)) as store:
            tables = store.execute("select name from sqlite_master where type = 'table' and name != 'workers'")
            return {
                name: store.execute(f'select count(*) from "{name}"').fetchone()[0] for (name,) in tables.fetchall()
            }

    def blobs(self) -> list[Path]:
        """The documents that are kept."""
        return sorted(path for path in (self.home / "blobs").rglob("*") if path.is_file())

    async def messages(self) -> int:
        """How many jobs were ever published."""
        return sum((await self._consumer.end_offsets(self._partitions)).values())

    async def all(self) -> tuple[dict[str, int], list[Path], int]:
        """The three together."""
        return self.rows(), self.blobs(), await self.messages()


@pytest_asyncio.fixture(scope="module")
async def trace(deployment: Deployment) -> AsyncIterator[Trace]:
    """What is there once every job of other tests has ended and is delivered."""
    job = deployment.submit({"task": "echo", "text": "The first of these tests."})
    deployment.finished(job)
    until(lambda: _quiet(deployment), 60, "every job to end")
    consumer = AIOKafkaConsumer(bootstrap_servers=deployment.environment["STREAMAPP_BROKER"])
    await consumer.start()
    try:
        yield Trace(deployment, consumer)
    finally:
        await consumer.stop()


def _quiet(deployment: Deployment) -> bool:
    items = deployment.http.get("/v1/jobs?limit=100").json()["items"]
    ended = all(item["status"] in FINAL for item in items)
    with closing(sqlite3.connect(f"file:{deployment.home / 'streamapp.db'}?mode=ro", uri=True)) as store:
        open_ = store.execute("select count(*) from deliveries where state in ('pending', 'sending')").fetchone()[0]
    return ended and not open_


def _ask(deployment: Deployment, method: str, path: str, **request: Any) -> httpx.Response:
    """The answer. The server closes a connection whose body it can't decode, and the close may overtake the answer."""
    for _ in range(5):
        with contextlib.suppress(httpx.ReadError, httpx.RemoteProtocolError):
            return deployment.http.request(method, path, **request)
    raise AssertionError("five connections were closed without an answer")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_bad_input_is_refused_and_leaves_no_trace(deployment: Deployment, trace: Trace, case: Case) -> None:
    """A problem document (RFC 9457) names the field, nothing is kept, and the worker still answers."""
    before = await trace.all()

    answer = _ask(deployment, case.method, case.path, content=case.body, headers=case.headers)

    assert answer.status_code == case.status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == case.status
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]
    assert [error["field"] for error in problem["errors"]] == case.wrong.split(", "), problem
    assert await trace.all() == before
    assert _ask(deployment, "GET", "/healthz").status_code == 200


async def test_an_encoding_without_its_library_is_refused(deployment: Deployment, trace: Trace) -> None:
    """aiohttp itself refuses Brotli where that is not installed: a problem document that says what is taken."""
    before = await trace.all()
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}

    answer = _ask(deployment, "POST", "/v1/jobs", content=b"\x0b\x02\x80{}\x03", headers=headers)

    assert answer.status_code == 415, answer.text
    assert answer.json()["errors"][0]["field"] == "Content-Encoding"
    assert await trace.all() == before


@pytest.mark.parametrize("headers", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_breaks_off_leaves_no_trace(deployment: Deployment, trace: Trace, headers: bytes) -> None:
    """A client that goes away within its body has posted nothing, though what it sent is a whole object."""
    before = await trace.all()
    body = b"%x\r\n%s\r\n" % (len(GOOD), GOOD) if headers.startswith(b"Transfer") else GOOD
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers

    with socket.create_connection(("127.0.0.1", deployment.port), timeout=5) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)

    assert not answer.startswith(b"HTTP/1.1 2")
    assert deployment.http.get("/healthz").status_code == 200
    assert await trace.all() == before


async def test_good_work_after_all_that_is_accepted(deployment: Deployment, trace: Trace) -> None:
    """One job more, one message more: nothing of what was refused comes late."""
    rows, blobs, messages = await trace.all()

    job = deployment.submit({"task": "echo", "text": "Seen. " * 1000})

    assert deployment.finished(job)["status"] == "succeeded"
    assert (await trace.messages()) == messages + 1
    assert trace.rows()["jobs"] == rows["jobs"] + 1
    assert len(trace.blobs()) == len(blobs) + 1
