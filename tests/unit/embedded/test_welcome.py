"""The first job is shown once, from the request to the e-mail, by the calls that any client would make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from streamapp.embedded import StartError, welcome
from streamapp.embedded.api import Api, base_url
from streamapp.embedded.mailbox import deliver
from streamapp.embedded.screen import Screen

DONE = {"id": "7", "status": "succeeded", "progress": {"done": 2, "total": 2}, "report": {"subject": "S", "text": "T"}}


class Worker(httpx.AsyncBaseTransport):
    """Answers with the given states of one job, the last one again and again; keeps what it was sent."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states: Iterator[dict[str, Any]] = iter(states)
        self.last = states[-1]
        self.posted: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """A GET is the job's next state."""
        if request.method == "POST":
            self.posted.append(request)
            return httpx.Response(202, headers={"Location": "/v1/jobs/7"}, json={})
        return httpx.Response(200, json=next(self.states, self.last))


def screen() -> tuple[Screen, StringIO]:
    """A screen that is no terminal."""
    written = StringIO()
    return Screen(Console(file=written, soft_wrap=True)), written


async def test_the_whole_way(tmp_path: Path) -> None:
    """I expect the report and the e-mail's file to be shown, the same key each time, and the marker."""
    mail = deliver(tmp_path / "mail", b"Subject: x\n\n")
    running = {"id": "7", "status": "running", "progress": {"done": 1, "total": 2}, "deliveries": []}
    worker = Worker(running, {**DONE, "deliveries": [{"kind": "email", "state": "sent"}]})
    shown, written = screen()
    await welcome.first_job(Api("http://w", worker), shown, tmp_path, tmp_path / "mail", "reader@localhost")
    assert "S\nT\n" in written.getvalue()
    assert str(mail) in written.getvalue()
    (request,) = worker.posted
    assert request.headers["Idempotency-Key"] == "first-job"
    assert json.loads(request.content)["email"] == "reader@localhost"
    assert not welcome.is_first_start(tmp_path)


async def test_a_failed_job_is_said_once(tmp_path: Path) -> None:
    """I expect its error, and no second try of a job that is final."""
    worker = Worker({"id": "7", "status": "failed", "progress": None, "error": "the model is gone"})
    with pytest.raises(StartError, match="has failed: the model is gone"):
        await welcome.first_job(Api("http://w", worker), screen()[0], tmp_path, None, "reader@localhost")
    assert not welcome.is_first_start(tmp_path)


async def test_no_email_without_a_mailbox_of_our_own(tmp_path: Path) -> None:
    """I expect nobody's real inbox to get the first job."""
    worker = Worker({**DONE, "deliveries": []})
    await welcome.first_job(Api("http://w", worker), screen()[0], tmp_path, None, "somebody@example.com")
    assert "email" not in json.loads(worker.posted[0].content)


async def test_an_email_that_was_given_up_is_said(tmp_path: Path) -> None:
    """I expect the delivery's state in the sentence."""
    worker = Worker({**DONE, "deliveries": [{"kind": "email", "state": "dead"}]})
    with pytest.raises(StartError, match="state is dead"):
        await welcome.first_job(Api("http://w", worker), screen()[0], tmp_path, tmp_path / "mail", "reader@localhost")


async def test_a_refused_job_is_said_in_the_apis_words(tmp_path: Path) -> None:
    """I expect the problem's detail."""
    transport = httpx.MockTransport(lambda request: httpx.Response(422, json={"detail": "no such task"}))
    with pytest.raises(StartError, match="422: no such task"):
        await Api("http://w", transport).submit({}, "key")


def test_there_is_a_story_to_begin_with() -> None:
    """I expect at least 3,000 words, written for this project and shipped with it."""
    assert len(welcome.story().read_text(encoding="utf-8").split()) >= 3000


def test_the_curl_line_names_a_file_that_is_there() -> None:
    """I expect it to work as it is copied."""
    line = welcome.curl_line("http://127.0.0.1:6066", "reader@localhost")
    file = line.split("file=@")[1].split(" ")[0].rstrip("'")
    assert Path(file).is_file()
    assert line.endswith(" http://127.0.0.1:6066/v1/jobs")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # every interface: reached by this one
        ("::", "http://[::1]:80"),
    ],
)
def test_base_url(host: str, expected: str) -> None:
    """I expect an address that a client on this machine can use."""
    assert base_url(host, 80) == expected
