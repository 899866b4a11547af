"""The old client: any JSON object on the old path becomes a job, and the answer is the one it knows."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from streamapp.testing.deployment import Deployment, until

PATH = "/kafka/pushToConsumers"
ANSWER = {"message": "You will receive an email in a short while with the plot", "status": "Pass"}
READER = "reader@localhost"  # the settings' default


def _deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"word": "at the bottom"}
    for _ in range(depth):
        value = {"a": [value]}
    return value


PDF = base64.b64encode(b"%PDF-1.7").decode()

OBJECTS: list[tuple[str, Any, str]] = [
    ("nothing", {}, "{}"),
    ("the book", {"book": "Once upon a time."}, "Once upon a time."),
    ("a text", {"text": "Once.", "other": "Not this."}, "Once."),
    (
        "many words",
        {"user": {"name": "Ann", "tags": ["a", ["b"]]}, "data": [{"payload": "Once."}]},
        "Ann\n\na\n\nb\n\nOnce.",
    ),
    ("no words", {"a": 1, "b": [True, None, 2.5], "c": {}}, '{"a": 1, "b": [true, null, 2.5], "c": {}}'),
    ("no words but blanks", {"a": " \u00a0", "b": "\0", "c": "\ufeff"}, ""),
    ("a large number", {"id": 10**400}, json.dumps({"id": 10**400})),
    ("numbers beyond all", '{"a": 1e999, "b": %s}' % ("9" * 5000), "9" * 5000),
    ("deep", _deep(200), "at the bottom"),
    ("an empty key", {"": "Once."}, "Once."),
    ("the same key twice", '{"a": "Once.", "a": "Twice."}', "Twice."),
    ("half a pair", '{"a": "Once \\ud83d."}', "Once \ufffd."),
    ("half a pair as a key", '{"\\ud83d": 1}', '{"\ufffd": 1}'),
    ("a text with half a pair", '{"text": "Once \\udfff."}', "Once \ufffd."),
    ("a mark at the start", "\ufeff" + '{"a": "Once."}', "Once."),
    ("a text that is a number", {"text": 42, "book": "Once."}, "Once."),
    ("a text that is empty", {"text": "", "book": "Once."}, "Once."),
    ("a text of NULs", {"text": "\0\0", "book": "On\0ce."}, "Once."),
    ("a text that is a mark", {"text": "\ufeff", "book": "Once."}, "Once."),
    ("a text that is a list", {"text": ["Once.", "Twice."]}, "Once.\n\nTwice."),
    ("a task that is none", {"task": "no-such-task", "text": "Once."}, "Once."),
    ("a task of another type", {"task": {"name": "echo"}, "text": "Once."}, "Once."),
    ("an address of another type", {"email": ["a@example.com"], "text": "Once."}, "Once."),
    ("a blank address", {"email": " ", "text": "Once."}, "Once."),
    ("params of its own", {"params": {"mode": "fast"}, "text": "Once."}, "Once."),
    ("params that are none", {"params": "fast", "text": "Once."}, "Once."),
    ("a name that is none", {"name": "a\r\nb", "text": "Once."}, "Once."),
    ("null everywhere", dict.fromkeys(("task", "text", "email", "params", "document", "media_type")), ""),
    ("a document in words", {"document": "Once.", "media_type": "book"}, "Once.\n\nbook"),
    ("a document", {"document": "T25jZS4=", "media_type": "text/plain"}, "Once."),
    ("a document that is not taken", {"document": PDF, "media_type": "application/pdf"}, f"{PDF}\n\napplication/pdf"),
    ("priority and deadline", {"priority": 99, "deadline": "yesterday", "text": "Once."}, "Once."),
]


@pytest.mark.parametrize(("body", "text"), [row[1:] for row in OBJECTS], ids=[row[0] for row in OBJECTS])
def test_any_object_runs(deployment: Deployment, body: Any, text: str) -> None:
    """The old answer to the letter, and a job with the object's text whose e-mail goes to the default address."""
    content = body if isinstance(body, str) else json.dumps(body)

    answer = _push(deployment, content.encode())

    assert answer.status_code == 200
    assert answer.json() == ANSWER
    job = deployment.finished(_newest(deployment))
    assert job["status"] == "succeeded"
    assert job["report"]["text"] == text or (not text and job["report"]["text"].startswith("{"))
    assert [line["recipient"] for line in job["deliveries"] if line["kind"] == "email"] == [READER]


@pytest.mark.parametrize(
    "email", ["nobody", "a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "a@localhost\ud800"]
)
def test_an_address_that_is_none_is_refused(deployment: Deployment, email: str) -> None:
    """As on /v1/jobs, and there is no job: its mail would go to the settings' address, which is somebody else's."""
    before = _newest(deployment)
    answer = _push(deployment, json.dumps({"email": email, "text": "Once."}).encode())
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]
    assert _newest(deployment) == before


def test_what_it_names_is_used(deployment: Deployment) -> None:
    """A task, an address and parameters that are right hold, and the mail arrives there."""
    body = {"task": "echo", "email": "old@localhost", "params": {"chunk": 3}, "text": "Once upon."}

    assert _push(deployment, json.dumps(body).encode()).json() == ANSWER

    job = deployment.finished(_newest(deployment))
    assert job["progress"] == {"done": 4, "total": 4}
    mails = until(lambda: [mail for mail in deployment.mails(1) if mail["To"] == "old@localhost"], 20, "the e-mail")
    assert len(mails) == 1


def test_the_default_address_gets_the_mail(deployment: Deployment) -> None:
    """An object that names nobody ends in the mailbox of the settings' address, and in the inbox."""
    _push(deployment, b'{"book": "A mail for the one in the settings."}')
    job = _newest(deployment)
    deployment.finished(job)

    def mine() -> list[Any]:
        return [mail for mail in deployment.mails(1) if "A mail for the one" in str(mail["Subject"])]

    assert [mail["To"] for mail in until(mine, 20, "the e-mail")] == [READER]
    assert job in {line["job_id"] for line in deployment.http.get("/v1/notifications").json()["items"]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422), (b"null", 422), (b'"text"', 422), (b"1", 422), (b"[{}]", 422), (b"", 400), (b"{", 400),
        (b"a=b", 400), (b'{"a": NaN}', 400), (b'{"a": "\xff"}', 400), (b"[" * 100_000, 400),
        (b'{"a":' * 600 + b"1" + b"}" * 600, 400), (b'{"a": "' + b"x" * (1 << 20) + b'"}', 413),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else str(value),
)  # fmt: skip
def test_what_is_no_object_is_refused(deployment: Deployment, body: bytes, status: int) -> None:
    """A problem document that names the body, and no job."""
    before = _newest(deployment)

    answer = _push(deployment, body)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]
    assert _newest(deployment) == before


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_the_content_type_does_not_matter(deployment: Deployment, kind: str | None) -> None:
    """Old clients send JSON under any name, or none."""
    assert _push(deployment, b'{"a": "Once."}', **({"Content-Type": kind} if kind else {})).json() == ANSWER


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://example.org"])
def test_browsers_may_call_from_listed_pages(deployment: Deployment, origin: str) -> None:
    """The preflight is granted, and the answer may be read (Fetch, "CORS protocol")."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-requested-with",
    }
    preflight = deployment.http.options(PATH, headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()

    answer = _push(deployment, b'{"a": "Once."}', Origin=origin)
    assert answer.json() == ANSWER
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    refused = _push(deployment, b"[]", Origin=origin)
    assert refused.status_code == 422
    assert refused.headers["Access-Control-Allow-Origin"] == origin


def _push(deployment: Deployment, body: bytes, **headers: str) -> httpx.Response:
    return deployment.http.post(PATH, content=body, headers=headers)


def _newest(deployment: Deployment) -> str:
    items = deployment.http.get("/v1/jobs?limit=1").json()["items"]
    return str(items[0]["id"]) if items else ""
