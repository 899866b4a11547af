"""The intake in a Flask site under gunicorn's old flags, beside a worker's own: the same answers, and the same jobs."""

from __future__ import annotations

import gzip
import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from streamapp.testing.deployment import Deployment, until
from streamapp.testing.keys import bearer, make_key
from tests.integration.gunicorn_site import GunicornSite

PAGE, STRANGER = "https://books.example.org", "https://elsewhere.example.org"
MiB = 1 << 20
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
ECHO = b'{"task": "echo", "text": "Hello."}'
#: What differs from answer to answer, or from server to server.
OWN_HEADERS = {"date", "server", "connection", "content-length", "transfer-encoding", "keep-alive", "ratelimit"}
OWN_FIELDS = ("id", "position", "created_at", "eta_s")


class Both(NamedTuple):
    """A worker's own intake, and the one in a site; both ask for keys."""

    deployment: Deployment
    site: GunicornSite


@pytest.fixture(scope="module")
def both(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A running worker and a site with the same settings."""
    folder = tmp_path_factory.mktemp("flask")
    settings = {
        "STREAMAPP_ONLY_TASKS": "echo",
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_MAX_BODY_BYTES": str(MiB),
        "STREAMAPP_MAX_DOCUMENT_BYTES": str(6 * MiB),
        "STREAMAPP_CORS_ORIGINS": PAGE,
    }
    with Deployment(broker, folder, settings) as deployment:
        make_key(deployment)
        with GunicornSite(folder, deployment.environment) as site:
            site.http.headers.update(deployment.http.headers)
            yield Both(deployment, site)


def form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """A form's body; a part is what its Content-Disposition says behind ``form-data;``, and its content."""
    return (
        b"".join(b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (a.encode(), c) for a, c in parts) + end
    )


TASK = ('name="task"', b"echo")
FILE = ('name="file"; filename="a.txt"', b"A file.")

#: method, path, headers, body
REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "json": ("POST", "/v1/jobs", JSON, ECHO),
    "json of another name": ("POST", "/v1/jobs", {"Content-Type": "application/vnd.x+json; v=1"}, ECHO),
    "no type": ("POST", "/v1/jobs", {"Content-Type": ""}, ECHO),
    "a broken type": ("POST", "/v1/jobs", {"Content-Type": "json"}, ECHO),
    "gzip": ("POST", "/v1/jobs", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(ECHO)),
    "half a gzip": ("POST", "/v1/jobs", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(ECHO)[:-12]),
    "no gzip": ("POST", "/v1/jobs", {**JSON, "Content-Encoding": "gzip"}, ECHO),
    "a bomb": ("POST", "/v1/jobs", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(bytes(64 * MiB))),
    "an odd encoding": ("POST", "/v1/jobs", {**JSON, "Content-Encoding": "rot13"}, ECHO),
    "empty": ("POST", "/v1/jobs", JSON, b""),
    "no json": ("POST", "/v1/jobs", JSON, b"{"),
    "no object": ("POST", "/v1/jobs", JSON, b"[]"),
    "no utf-8": ("POST", "/v1/jobs", JSON, b'{"task": "\xff"}'),
    "deep": ("POST", "/v1/jobs", JSON, b'{"a":' * 70 + b"1" + b"}" * 70),
    "half a surrogate": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "text": "\\ud800"}'),
    "unknown field": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "txt": "Hello."}'),
    "no task": ("POST", "/v1/jobs", JSON, b'{"task": "ecko", "text": "Hello."}'),
    "bad params": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "text": "Hello.", "params": {"chunk": -1}}'),
    "bad webhook": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "text": "Hello.", "webhook": "http://localhost"}'),
    "bad email": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "text": "Hello.", "email": "anna"}'),
    "too large": ("POST", "/v1/jobs", JSON, b'{"task": "echo", "text": "' + b"a" * MiB + b'"}'),
    "bad key": ("POST", "/v1/jobs", {**JSON, "Idempotency-Key": "k" * 256}, ECHO),
    "wait": ("POST", "/v1/jobs", {**JSON, "Prefer": "respond-async"}, ECHO),
    "raw": ("POST", "/v1/jobs?task=echo&name=A%20b&params=%7B%22chunk%22%3A9%7D", TEXT, b"Raw."),
    "raw, large": ("POST", "/v1/jobs?task=echo", TEXT, b"Raw. " * 600_000),
    "raw, in latin-1": ("POST", "/v1/jobs?task=echo", {"Content-Type": "text/plain; charset=latin-1"}, b"caf\xe9"),
    "raw, large, latin-1": (
        "POST",
        "/v1/jobs?task=echo",
        {"Content-Type": "text/plain; charset=latin-1"},
        b"\xe9 " * MiB,
    ),
    "raw, too large": ("POST", "/v1/jobs?task=echo", TEXT, b"Raw. " * 1_500_000),
    "raw, empty": ("POST", "/v1/jobs?task=echo", TEXT, b""),
    "raw, no text": ("POST", "/v1/jobs?task=echo", TEXT, b"a\0b"),
    "raw, compressed": ("POST", "/v1/jobs?task=echo", {**TEXT, "Content-Encoding": "gzip"}, gzip.compress(b"Raw.")),
    "raw, no task": ("POST", "/v1/jobs", TEXT, b"Raw."),
    "raw, odd query": ("POST", "/v1/jobs?task=echo&task=echo", TEXT, b"Raw."),
    "raw, unknown": ("POST", "/v1/jobs?task=echo&t%C3%A4sk=1", TEXT, b"Raw."),
    "raw, broken query": ("POST", "/v1/jobs?task=echo&name=%ff", TEXT, b"Raw."),
    "raw, other type": ("POST", "/v1/jobs?task=echo", {"Content-Type": "video/mp4"}, b"Raw."),
    "form": ("POST", "/v1/jobs", FORM, form(TASK, FILE, ('name="params"', b'{"chunk": 9}'))),
    "form, large": ("POST", "/v1/jobs", FORM, form(TASK, (FILE[0], b"Long. " * 600_000))),
    "form, too large": ("POST", "/v1/jobs", FORM, form(TASK, (FILE[0], b"Long. " * 1_300_000))),
    "form, text": ("POST", "/v1/jobs", FORM, form(TASK, ('name="text"', b"Hello."))),
    "form, twice": ("POST", "/v1/jobs", FORM, form(TASK, TASK, FILE)),
    "form, unknown": ("POST", "/v1/jobs", FORM, form(TASK, FILE, ('name="chunk"', b"9"))),
    "form, no name": ("POST", "/v1/jobs", FORM, form(TASK, ("x=1", b"9"))),
    "form, large field": ("POST", "/v1/jobs", FORM, form(TASK, ('name="text"', b"a" * (MiB + 1)))),
    "form, cut off": ("POST", "/v1/jobs", FORM, form(TASK, FILE, end=b"")),
    "form, no boundary": ("POST", "/v1/jobs", {"Content-Type": "multipart/form-data"}, form(TASK, FILE)),
    "form, long line": ("POST", "/v1/jobs", FORM, b"--b\r\nX: " + b"a" * 200_000 + b"\r\n\r\n\r\n--b--\r\n"),
    "put, no uuid": ("PUT", "/v1/jobs/one", JSON, ECHO),
    "get, none": ("GET", "/v1/jobs/one", {}, b""),
    "patch": ("PATCH", "/v1/jobs", JSON, ECHO),
    "no key": ("POST", "/v1/jobs", {**JSON, "Authorization": "Basic x"}, ECHO),
    "unknown key": ("POST", "/v1/jobs", {**JSON, **bearer("streamapp_x")}, ECHO),
    "push": ("POST", "/kafka/pushToConsumers", JSON, b'{"a": "Hello."}'),
    "push, odd type": ("POST", "/kafka/pushToConsumers", {"Content-Type": "text/plain"}, b'{"a": "Hello."}'),
    "push, no object": ("POST", "/kafka/pushToConsumers", JSON, b"[]"),
    "push, get": ("GET", "/kafka/pushToConsumers", {}, b""),
}


def said(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """What must be the same: the status, headers and content, apart from ids and dates."""
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OWN_HEADERS}
    content = answer.json() if answer.content else None
    if isinstance(content, dict):
        if "location" in headers:
            headers["location"] = headers["location"].replace(content["id"], "ID")
        content = {name: value for name, value in content.items() if name not in OWN_FIELDS}
    if answer.status_code == 405:
        del headers["allow"]  # a site has fewer methods
    return answer.status_code, headers, content


@pytest.mark.parametrize("name", REQUESTS)
def test_both_say_the_same(both: Both, name: str) -> None:
    """The same request has the same status, problem document or resource, and headers at both intakes."""
    method, path, headers, body = REQUESTS[name]
    headers = {**headers, "Origin": PAGE}
    one, other = (
        client.request(method, path, headers=headers, content=body) for client in (both[0].http, both[1].http)
    )
    assert said(other) == said(one)
    assert one.status_code < 500
    assert one.headers["Access-Control-Allow-Origin"] == PAGE


def test_limits_and_scopes(both: Both) -> None:
    """A key's limits and scopes are those of a worker, with the same headers."""
    narrow = make_key(both.deployment, per_minute=2)
    reader = make_key(both.deployment, scopes=("read",))
    for client in (both.deployment.http, both.site.http):
        answers = [client.post("/v1/jobs", content=ECHO, headers={**JSON, **bearer(narrow)}) for _ in range(5)]
        assert (answers[0].status_code, answers[0].headers["RateLimit-Policy"]) == (202, '"key";q=2;w=60')
        assert answers[0].headers["RateLimit"].startswith('"key";r=1;t=')
        assert [answer.status_code for answer in answers[1:3]] == [202, 429]
        assert answers[2].headers["RateLimit"].startswith('"key";r=0;t=')
        assert "may send 2 requests a minute" in answers[2].json()["detail"]
        refused = client.put(f"/v1/jobs/{uuid.uuid4()}", content=ECHO, headers={**JSON, **bearer(reader)})
        assert (refused.status_code, refused.json()["detail"]) == (403, "This key lacks the scope submit.")
        assert 'scope="submit"' in refused.headers["WWW-Authenticate"]


def test_pages_of_listed_origins_alone(both: Both) -> None:
    """Their preflights are granted without a key, on both; another page gets no header of CORS, and caches are told."""
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, idempotency-key"}
    for address in (both.deployment.url, f"http://127.0.0.1:{both.site.port}"):
        with httpx.Client(base_url=address, trust_env=False) as client:
            for path in ("/v1/jobs", "/kafka/pushToConsumers"):
                granted = client.options(path, headers={"Origin": PAGE, **asks})
                assert (granted.status_code, granted.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
                assert "POST" in granted.headers["Access-Control-Allow-Methods"].split(", ")
                assert "Idempotency-Key" in granted.headers["Access-Control-Allow-Headers"].split(", ")
                assert granted.headers["Vary"] == "Origin"
                for answer in (
                    client.options(path, headers={"Origin": STRANGER, **asks}),
                    client.post(path, content=ECHO, headers={"Origin": STRANGER, **JSON}),
                ):
                    assert not [name for name in answer.headers if name.startswith("access-control")]
                    assert answer.headers["Vary"] == "Origin"
            assert client.options("/v1/jobs", headers={"Origin": PAGE}).status_code == 401


def test_streams_and_missing_paths_carry_it_too(both: Both) -> None:
    """A stream of events, an answer that varies anyway, and a path that is not there can be read by a listed page."""
    http, headers = both.deployment.http, {"Origin": PAGE}
    job = both.deployment.submit({"task": "echo", "text": "Followed."})
    both.deployment.finished(job)
    with http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as stream:
        assert stream.headers["Access-Control-Allow-Origin"] == PAGE
    report = http.get(f"/v1/jobs/{job}/report", headers=headers)
    assert (report.headers["Access-Control-Allow-Origin"], report.headers["Vary"]) == (PAGE, "Accept, Origin")
    assert "ETag" in report.headers["Access-Control-Expose-Headers"].split(", ")
    assert http.get("/v1/nothing", headers=headers).headers["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Allow-Origin" not in http.get("/v1/dead-letters", headers=headers).headers


def test_a_key_names_one_job_at_both(both: Both) -> None:
    """Whichever intake has it first, the other finds the same job; another body is refused by both, and an id too."""
    key = {"Idempotency-Key": str(uuid.uuid4()), **JSON}
    clients = (both.site.http, both.deployment.http, both.site.http)
    assert len({client.post("/v1/jobs", content=ECHO, headers=key).json()["id"] for client in clients}) == 1
    other = ECHO.replace(b"Hello", b"Goodbye")
    assert [client.post("/v1/jobs", content=other, headers=key).status_code for client in clients] == [422] * 3
    path = f"/v1/jobs/{uuid.uuid4()}"
    assert [client.put(path, content=ECHO, headers=JSON).status_code for client in clients] == [202] * 3
    assert [client.put(path, content=other, headers=JSON).status_code for client in clients] == [422] * 3


def test_a_race_for_a_key(both: Both) -> None:
    """Many at once at both intakes, with one key and two bodies: one job, and the other body is refused each time."""
    for _ in range(5):
        key = {"Idempotency-Key": str(uuid.uuid4()), **JSON}

        def post(number: int, key: dict[str, str] = key) -> tuple[int, str, str]:
            body = json.dumps({"task": "echo", "text": f"Body {number % 2}." * 2000})
            answer = both[number % 3 % 2].http.post("/v1/jobs", content=body, headers=key)
            return number % 2, str(answer.status_code), answer.json().get("id", "")

        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(post, range(12)))
        won = {outcome for outcome in outcomes if outcome[1] == "202"}
        assert len(won) == 1
        (body, _, _) = won.pop()
        assert all(outcome[1] == ("202" if outcome[0] == body else "422") for outcome in outcomes)


def test_every_accepted_job_is_delivered(both: Both) -> None:
    """Posted by many threads at once, small ones and large ones, each succeeds and its e-mail is there, once."""
    mark = uuid.uuid4().hex

    def post(number: int) -> str:
        size = 1 if number % 4 else 3000
        body = {"task": "echo", "text": f"Text {number}. " * size, "email": f"{mark}-{number}@localhost"}
        answer = both.site.http.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(12) as threads:
        ids = list(threads.map(post, range(80)))
    assert [both.deployment.finished(job, 60)["status"] for job in ids] == ["succeeded"] * 80

    def sent() -> list[str]:
        return [str(mail["To"]) for mail in both.deployment.mails(1) if mark in str(mail["To"])]

    until(lambda: len(sent()) >= 80, 60, "the e-mails")
    assert len(set(sent())) == len(sent()) == 80
    assert both.site.http.get(f"/v1/jobs/{ids[0]}").json()["status"] == "succeeded"


def test_workers_of_the_site_are_killed(both: Both) -> None:
    """kill -9 to workers of gunicorn while jobs are posted: whatever was answered with 202 succeeds."""
    accepted: list[str] = []
    enough = threading.Event()

    def post() -> None:
        while not enough.is_set():
            try:
                answer = both.site.http.post("/v1/jobs", json={"task": "echo", "text": "Through it all. " * 500})
            except httpx.TransportError:
                continue
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["id"])

    with ThreadPoolExecutor(6) as threads:
        posting = [threads.submit(post) for _ in range(6)]
        for _ in range(4):
            have, pids = len(accepted), {worker.pid for worker in both.site.workers()}
            until(lambda have=have: len(accepted) > have + 30, 60, "more jobs")  # type: ignore[misc]
            both.site.kill_worker()
            until(lambda pids=pids: {w.pid for w in both.site.workers()} - pids, 30, "a new one")  # type: ignore[misc]
        enough.set()
    for each in posting:
        each.result()
    assert [both.deployment.finished(job, 60)["status"] for job in accepted] == ["succeeded"] * len(accepted)


def test_a_broker_that_is_away(both: Both, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The site can't reach it: 202 all the same, and the relay of the worker, which can, publishes them."""
    environment = {**both.deployment.environment, "STREAMAPP_BROKER": "127.0.0.1:1"}
    with GunicornSite(tmp_path_factory.mktemp("away"), environment) as site:
        site.http.headers.update(both.deployment.http.headers)
        answers = [site.http.post("/v1/jobs", json={"task": "echo", "text": "Anyway."}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202] * 5
        ids = [answer.json()["id"] for answer in answers]
        assert [both.deployment.finished(job, 60)["status"] for job in ids] == ["succeeded"] * 5
