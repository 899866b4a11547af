"""Another tenant's things, on the real worker: every answer about them is the one about what does not exist."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import Connection, insert

from streamapp.store.schema import clock, deliveries
from streamapp.store.upkeep import dead_letters
from streamapp.testing.deployment import Deployment, until
from streamapp.testing.keys import bearer, database_of, make_key
from tests.routes import every_route

TEXT = {"task": "echo", "text": "Anna's own words.", "email": "anna@localhost"}
NOBODYS = str(uuid.uuid4())
ALL = ("submit", "read", "admin")


class Two(NamedTuple):
    """A worker with two tenants, and what anna has there: a finished job, a line in her inbox, what was given up."""

    deployment: Deployment
    anna: httpx.Client
    bert: httpx.Client
    job: str
    line: int
    letter: int
    parked: str


@pytest.fixture(scope="module")
def two(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Both with all scopes."""
    settings = {"STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
    with (
        Deployment(broker, tmp_path_factory.mktemp("two"), settings) as running,
        _client(running, "anna") as anna,
        _client(running, "bert") as bert,
    ):
        job = anna.post("/v1/jobs", json=TEXT, headers={"Idempotency-Key": "one"}).json()["id"]
        lines: Any = until(lambda: anna.get("/v1/notifications").json()["items"], 30.0, "anna's notification")
        letter, parked = _given_up(running, job)
        yield Two(running, anna, bert, job, lines[0]["id"], letter, parked)


def _client(deployment: Deployment, tenant: str) -> httpx.Client:
    headers = bearer(make_key(deployment, tenant, ALL))
    return httpx.Client(base_url=deployment.url, headers=headers, trust_env=False)


def _given_up(deployment: Deployment, job: str) -> tuple[int, str]:
    """Put a dead letter and a parked e-mail of that job into the store; their ids."""
    times = {"attempts": 1, "first_seen": clock(), "last_seen": clock()}
    delivery = {"event": "done", "kind": "email", "recipient": "anna@localhost", "state": "parked"}

    def work(connection: Connection) -> int:
        connection.execute(
            insert(deliveries).values(
                id="p" * 64, tenant="anna", job=job, run=1, attempts=1, in_doubt=1, created_at=clock(), **delivery
            )
        )
        letters = insert(dead_letters).values(
            source="here", state="open", reason="why", tenant="anna", job=job, **times
        )
        return int(connection.execute(letters.returning(dead_letters.c.id)).scalar_one())

    database = database_of(deployment)
    try:
        return database.write_sync(work), "p" * 64
    finally:
        database.close()


def _said(answer: httpx.Response, *unlike: str) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but the time, and what the request itself named."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    body = answer.content
    for name in unlike:
        body = body.replace(name.encode(), b"*")
    return answer.status_code, headers, body


#: What stands for each part of a path that varies; what is not here is no id, and a path with a new one is an error.
PARTS: dict[str, tuple[str, ...]] = {
    "job_id": ("{job}",),
    "line": ("{line}",),
    "letter": ("{letter}",),
    "delivery": ("{parked}",),
    "how": ("sent", "resend"),
    "position": ("1",),
    "suffix": ("json", "txt", "html"),
}
NO_IDS = {"/assets/{name}"}
MAKES_ONES_OWN = ("PUT", "/v1/jobs/{job_id}")  # has a test of its own


def _with_ids() -> Iterator[tuple[str, str]]:
    """Each method and path that names something of somebody's."""
    for method, path in sorted(every_route() - {MAKES_ONES_OWN}):
        names = re.findall(r"{(\w+)}", path)
        if not names or path in NO_IDS:
            continue
        for values in itertools.product(*(PARTS[name] for name in names)):
            filled = path
            for name, value in zip(names, values, strict=True):
                filled = filled.replace(f"{{{name}}}", value)
            yield method, filled
            if method == "GET":
                yield "HEAD", filled


def test_the_routes_are_those_of_the_worker() -> None:
    """The list is not empty where somebody looks first, and another method is another line."""
    some = {
        ("GET", "/v1/jobs/{job}"),
        ("HEAD", "/v1/jobs/{job}/report.txt"),
        ("GET", "/v1/jobs/{job}/events"),
        ("DELETE", "/v1/jobs/{job}/data"),
        ("POST", "/v1/deliveries/{parked}/resend"),
        ("POST", "/ui/notifications/{line}/read"),
    }
    assert some <= set(_with_ids())


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize(("method", "path"), list(dict.fromkeys(_with_ids())))
def test_what_is_anothers_is_not_there(two: Two, method: str, path: str, accept: str) -> None:
    """The same status, headers and bytes as for an id that nobody has; and for its owner it is there, untouched."""
    hers = {"job": two.job, "line": two.line, "letter": two.letter, "parked": two.parked}
    nobodys = {"job": NOBODYS, "line": 99_999_999, "letter": 99_999_999, "parked": "q" * 64}
    headers = {"Accept": accept}

    answer = two.bert.request(method, path.format(**hers), headers=headers)
    other = two.bert.request(method, path.format(**nobodys), headers=headers)

    assert answer.status_code == 404
    assert _said(answer) == _said(other)
    if method == "GET" and "events" not in path:  # which has no end
        assert _said(two.anna.get(path.format(**hers), headers=headers)) != _said(other), "else this would show nothing"
    assert two.anna.get(f"/v1/jobs/{two.job}").json()["status"] == "succeeded"
    assert two.anna.get("/v1/notifications").json()["unread"] == 1
    assert two.anna.get(f"/v1/dead-letters/{two.letter}").json()["state"] == "open"
    assert [item["id"] for item in two.anna.get("/v1/deliveries/parked").json()["items"]] == [two.parked]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/notifications", "/v1/dead-letters", "/v1/deliveries/parked"])
@pytest.mark.parametrize("query", ["", "?limit=1", "?state=all", "?job={job}"])
def test_lists(two: Two, path: str, query: str) -> None:
    """They are those of somebody who has just come, however they are filtered."""
    with _client(two.deployment, f"new-{uuid.uuid4().hex[:8]}") as newcomer:
        asked = path + query.format(job=two.job)
        assert _said(two.bert.get(asked)) == _said(newcomer.get(asked))
        assert two.anna.get(path).json()["items"]


def test_dead_letters_in_bulk(two: Two) -> None:
    """A filter reaches one's own alone; and an operator sees everybody's."""
    for what in ("redrive", "discard"):
        answer = two.bert.post(f"/v1/dead-letters/{what}", json={"job": two.job})
        assert set(answer.json().values()) == {0}
    mine = two.anna.get("/v1/dead-letters").json()["items"]
    assert [(item["id"], item["state"]) for item in mine] == [(two.letter, "open")]
    seen = two.deployment.http.get("/v1/dead-letters").json()["items"]
    assert two.letter in [item["id"] for item in seen]
    parked = two.deployment.http.get("/v1/deliveries/parked").json()["items"]
    assert [item["id"] for item in parked] == [two.parked]


def test_an_id_or_a_key_that_another_tenant_has_used_is_new(two: Two) -> None:
    """A PUT of the same id and a POST with the same key are accepted, as one's own job, and differ in no way."""
    body = {"task": "echo", "text": "Bert's."}

    def put(job: str) -> httpx.Response:
        return two.bert.put(f"/v1/jobs/{job}", json=body)

    def post(key: str) -> httpx.Response:
        return two.bert.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})

    for name, call in ((two.job, put), ("one", post)):
        answer, other = call(name), call(str(uuid.uuid4()))
        assert answer.status_code == other.status_code == 202, answer.text
        assert answer.json().keys() == other.json().keys()
        done: Any = until(partial(_ended, two.bert, answer.json()["id"]), 30.0, "bert's job")
        assert done["report"]["text"] == "Bert's."
    assert two.anna.get(f"/v1/jobs/{two.job}").json()["report"]["text"] == "Anna's own words."


def test_the_same_words_are_not_remembered_for_another(two: Two) -> None:
    """Else one could ask whether somebody has sent them."""
    job = two.bert.post("/v1/jobs", json=TEXT).json()["id"]
    done: Any = until(lambda: _ended(two.bert, job), 30.0, "bert's job")
    assert done["remembered"] == 0


def _ended(client: httpx.Client, job: str) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
    return found if found["status"] == "succeeded" else None


def test_marking_all_as_read_is_for_ones_own(two: Two) -> None:
    """Over the API and on the page, anna's line stays unread when bert has read all of his."""
    job = two.bert.post("/v1/jobs", json={"task": "echo", "text": "Bert's."}).json()["id"]
    until(lambda: job in _unread_jobs(two.bert), 30.0, "bert's notification")
    last = two.bert.get("/v1/notifications").json()["items"][0]["id"]

    older = two.bert.post("/v1/notifications/read", json={"up_to": last - 1}).json()
    assert older["unread"] == 1
    page = two.bert.get("/inbox").text
    assert f'action="/ui/notifications/read?up_to={last}"' in page
    assert two.bert.post(f"/ui/notifications/read?up_to={last}").headers["Location"] == "/inbox"
    assert two.bert.post("/v1/notifications/read").json() == {"read": 0, "unread": 0}
    assert two.bert.post("/ui/notifications/read").status_code == 422
    for body in ({"up_to": 0}, {"up_to": "1"}, {"up_to": 2**31}, {"line": 1}):
        wrong = two.bert.post("/v1/notifications/read", json=body)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, *body)

    assert two.anna.get("/v1/notifications").json()["unread"] == 1


def _unread_jobs(client: httpx.Client) -> list[str]:
    return [line["job_id"] for line in client.get("/v1/notifications").json()["items"] if line["read_at"] is None]
