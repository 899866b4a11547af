"""The API's contract: what is accepted can be seen at once, listed, cancelled; what is not there says so."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment

TEXT = {"task": "echo", "text": "A line."}

NOBODYS = "3f2b8a54-6f4a-4347-88df-88630e4e5895"  # an id of no job


def test_a_job_can_be_read_at_once(deployment: Deployment) -> None:
    """202 with a Location that answers 200 before anything else happens, many times in a row."""
    for _ in range(20):
        answer = deployment.http.post("/v1/jobs", json=TEXT)

        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
        assert deployment.http.get(answer.headers["Location"]).status_code == 200


def test_what_a_job_shows(deployment: Deployment) -> None:
    """The resource has every field of the contract, also where there is nothing to say yet."""
    answer = deployment.http.post("/v1/jobs", json={**TEXT, "email": "shown@localhost", "name": "A name"}).json()

    assert set(answer) >= {
        "id", "task", "status", "progress", "position", "eta_s", "created_at", "started_at", "finished_at",
        "report", "deliveries", "error",
    }  # fmt: skip
    done = deployment.finished(answer["id"])
    assert done["status"] == "succeeded"
    assert done["progress"] == {"done": 1, "total": 1}
    assert done["name"] == "A name"
    assert {delivery["kind"] for delivery in done["deliveries"]} == {"email", "notification"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"email": "form@localhost", "priority": "2", "params": '{"chunk": 100}', "media_type": "text/plain"},
        {"email": "", "priority": "", "params": "", "media_type": "", "text": ""},
    ],
    ids=["only a file", "all fields", "the rest left empty"],
)
@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", "application/octet-stream"])
def test_a_form_with_a_file(deployment: Deployment, fields: dict[str, str], kind: str) -> None:
    """As `curl -F task=echo -F file=@story.txt` and browsers send it: fields after the file, some of them empty."""
    parts: list[tuple[str, Any]] = [("task", (None, "echo")), ("file", ("story.txt", "Once: é.".encode(), kind))]
    parts += [(name, (None, value)) for name, value in fields.items()]

    answer = deployment.http.post("/v1/jobs", files=parts)

    assert answer.status_code == 202, answer.text
    assert answer.json()["name"] == "story.txt"
    assert deployment.finished(answer.json()["id"])["report"]["text"] == "Once: é."


def test_a_document_in_base64_with_its_charset(deployment: Deployment) -> None:
    """A text in another charset that says so is read as what it is."""
    body = {"task": "echo", "document": "Y2Fm6Q==", "media_type": "text/plain; charset=ISO-8859-1"}
    assert deployment.finished(deployment.submit(body))["report"]["text"] == "café"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job", [NOBODYS, "1", "not-a-uuid", "%00", "%FF", "🦉", "a" * 5000])
def test_a_job_that_is_not_there(deployment: Deployment, method: str, job: str) -> None:
    """404 as a problem document, whether there is no such job or could never be."""
    answer = deployment.http.request(method, f"/v1/jobs/{job}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/job", "/v1/jobs/", f"/v1/jobs/{NOBODYS}/plot", "/kafka", "/v1/notifications/7777777/no"]
)
def test_a_path_that_is_not_there(deployment: Deployment, path: str) -> None:
    """404 as a problem document."""
    answer = deployment.http.get(path)
    assert answer.status_code == 404
    assert path == "/v1" or path == "/kafka" or answer.json()["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/jobs", {"GET", "HEAD", "POST"}),
        ("PATCH", f"/v1/jobs/{NOBODYS}", {"GET", "HEAD", "PUT", "DELETE"}),
        ("GET", "/kafka/pushToConsumers", {"POST"}),
        ("POST", "/v1/tasks", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_is_not_possible(deployment: Deployment, method: str, path: str, allowed: set[str]) -> None:
    """405 with the methods that are (RFC 9110, 15.5.6)."""
    answer = deployment.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} - {"OPTIONS"} == allowed


def test_head_is_get_without_a_body(deployment: Deployment) -> None:
    """The same headers, no content (RFC 9110, 9.3.2); also for what is not there."""
    job = deployment.submit(TEXT)
    deployment.finished(job)
    for path in (f"/v1/jobs/{job}", "/v1/jobs?limit=1", "/v1/tasks", "/healthz", f"/v1/jobs/{uuid.uuid4()}"):
        get, head = deployment.http.get(path), deployment.http.head(path)
        assert head.status_code == get.status_code
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert not head.content


def test_the_list_goes_on_where_a_page_ends(deployment: Deployment) -> None:
    """Each job is on one page, newest first, also those of the same moment."""
    mine = [deployment.submit({**TEXT, "name": f"listed {number}"}) for number in range(7)]

    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None and not set(mine) <= set(found):
        page = deployment.http.get("/v1/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]

    assert len(found) == len(set(found))
    assert [job for job in found if job in mine] == mine[::-1]


def test_a_cancelled_job_stays_cancelled(deployment: Deployment) -> None:
    """DELETE ends a job once; what has ended stays as it is, and no mail is sent for what was cancelled."""
    body = {"task": "echo", "text": "x" * 600_000, "params": {"chunk": 1}, "email": "cancelled@localhost"}
    job = deployment.submit(body)

    first = deployment.http.delete(f"/v1/jobs/{job}")
    again = deployment.http.delete(f"/v1/jobs/{job}")

    assert first.status_code == again.status_code == 200
    assert first.json()["status"] == again.json()["status"] == "cancelled"
    done = deployment.submit(TEXT)
    deployment.finished(done)
    assert deployment.http.delete(f"/v1/jobs/{done}").json()["status"] == "succeeded"
    assert deployment.job(job)["status"] == "cancelled"
    assert deployment.job(job)["deliveries"] == []
