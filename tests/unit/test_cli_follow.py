"""What `--wait` shows of a job, and that the list of jobs has its commands, as far as they need no worker."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from streamapp import cli_jobs
from streamapp.cli import cli
from streamapp.cli_follow import Showing, follow, left
from streamapp.client import AsyncClient, Client
from streamapp.embedded.screen import Screen
from streamapp.event_resources import PartialEvent, ProgressEvent
from streamapp.resources import JobResource
from tests.unit.client.world import ID, JOB, URL, done, event, job, problem


def partial(place: str, text: str) -> bytes:
    """A partial report as it is sent."""
    return event(place, "partial", items=1, subject="So far", text=text, html=None, data={})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"position": None, "eta_s": None}, ""),
        ({"position": 3, "eta_s": None}, "number 3 in the queue"),
        ({"position": 1, "eta_s": 99.4}, "number 1 in the queue, about 99 s left"),
        ({"position": None, "eta_s": 0.2}, "about 0 s left"),
        ({"position": None, "eta_s": 170.1}, "about 3 min left"),
    ],
)
def test_place_and_time(fields: dict[str, Any], words: str) -> None:
    """As far as they are known."""
    assert left(JobResource.model_validate(JOB | fields)) == words


def follow_it(answer: Any) -> tuple[JobResource, str]:
    """The job that is given at the end, and what was shown."""
    shown = io.StringIO()

    async def run() -> JobResource:
        async with AsyncClient(URL, transport=httpx.MockTransport(answer)) as client:
            return await follow(client, ID, Screen(Console(file=shown, width=200)), look_s=1000.0)

    return asyncio.run(run()), shown.getvalue()


def test_what_is_shown() -> None:
    """Of a partial report what is new in it, once; then that it is done."""
    ended = False

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal ended
        if not request.url.path.endswith("/events"):
            return job("succeeded" if ended else "running")
        ended = True
        told = event("p1", "progress", done=1) + partial("p2", "One.\n\n  * [b]a[/b]") + partial("p3", "Two.\n\nb")
        told += partial("p4", "Two.\n\n  * [b]a[/b]\n\nc") + done("p5")
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=told)

    found, shown = follow_it(answer)
    assert found.status == "succeeded"
    begun, *parts, over = shown.splitlines()
    assert begun == f"… job {ID}"
    so_far = ["So far, a part of the report:", ""]
    assert parts == [*so_far, "One.", "", "  * [b]a[/b]", "", *so_far, "Two.", "", "b", "", *so_far, "c", ""]
    assert over.startswith(f"✓ job {ID} (")


def parts_shown(*texts: str) -> list[str]:
    """The paragraphs that are shown of partial reports that come one after the other."""
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=200))
    with screen.step("job") as step:
        showing = Showing(screen, step)
        for text in texts:
            showing.part(PartialEvent(job_id=ID, items=1, subject="So far", text=text, html=None, data={}))
    paragraphs = shown.getvalue().split("\n\n")
    paragraphs[0] = paragraphs[0].removeprefix("… job\n")
    return paragraphs[:-1]


def test_a_new_sentence_comes_with_its_heading() -> None:
    """Also where the heading was shown before; what is as it was is not shown again, nor a heading over nothing."""
    one, two, so_far = "I. Rain\n-------", "II. Post\n--------", "So far, a part of the report:"
    first = f"3 of 9.\n\n{one}\n\n  * It rained.\n\n  * No.\n"
    later = f"4 of 9.\n\n{one}\n\n  * It rained.\n\n  * Yes.\n\n  * All day.\n\n{two}\n\n  * No.\n"
    assert parts_shown(first, first) == [so_far, "3 of 9.", one, "  * It rained.", "  * No."]
    assert parts_shown(first, later)[5:] == [so_far, "4 of 9.", one, "  * Yes.", "  * All day.", two, "  * No."]


def test_a_job_that_runs_is_in_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect its place not to stand there any more when its first items are done, and what is said then to stay."""
    said: list[str] = []
    screen = Screen(Console(file=io.StringIO()))
    with screen.step("job") as step:
        monkeypatch.setattr(step, "say", said.append)
        showing = Showing(screen, step)
        showing.seen(JobResource.model_validate(JOB | {"position": 1, "eta_s": None}))
        showing.at(ProgressEvent(job_id=ID, status="running", done=0, total=9))
        assert said == ["number 1 in the queue"]
        showing.at(ProgressEvent(job_id=ID, status="running", done=4, total=9))
        showing.at(ProgressEvent(job_id=ID, status="running", done=5, total=9))
    assert said == ["number 1 in the queue", "it runs"]


def test_without_a_stream() -> None:
    """It is asked for instead, and a job that failed is not shown as done."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path.endswith("/events") else job("failed", error="It broke.")

    found, shown = follow_it(answer)
    assert found.error == "It broke."
    assert shown.splitlines()[-1].startswith(f"✗ job {ID} (")


@pytest.mark.parametrize(
    ("words", "asked", "answer", "said"),
    [
        (["cancel", ID], [("DELETE", f"/v1/jobs/{ID}")], job("cancelled"), f"{ID}: cancelled\n"),
        (["retry", ID], [("POST", f"/v1/jobs/{ID}/retry")], job("queued", run=2), f"{ID}: queued, run 2\n"),
        (["delete", ID], [("DELETE", f"/v1/jobs/{ID}/data")], httpx.Response(204), f"{ID}: deleted\n"),
        ([], [("GET", "/v1/jobs")], httpx.Response(200, json={"items": [], "next": None}), "No jobs yet"),
        (["--status", "failed"], [("GET", "/v1/jobs")], httpx.Response(200, json={"items": [], "next": None}), "None."),
    ],
)
def test_the_commands_for_jobs(
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    asked: list[tuple[str, str]],
    answer: httpx.Response,
    said: str,
) -> None:
    """Each asks one thing, and a command does not list as well."""
    got = []

    def answers(request: httpx.Request) -> httpx.Response:
        got.append((request.method, request.url.path))
        return answer

    monkeypatch.setattr(cli_jobs, "client_of", lambda url: Client(URL, transport=httpx.MockTransport(answers)))
    result = CliRunner().invoke(cli, ["jobs", *words])
    assert (got, result.exit_code) == (asked, 0)
    assert said in result.output


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T18:00", "2026-01-31T18:00:00+00:00"),
        ("2026-01-31T18:00:05+01:00", "2026-01-31T18:00:05+01:00"),
        ("2026-01-31T18:00Z", "2026-01-31T18:00:00+00:00"),
    ],
)
def test_times(monkeypatch: pytest.MonkeyPatch, said: str, sent: str) -> None:
    """In UTC, where they have no offset."""
    got = []

    def answers(request: httpx.Request) -> httpx.Response:
        got.append(dict(request.url.params))
        return httpx.Response(200, json={"items": [], "next": None})

    monkeypatch.setattr(cli_jobs, "client_of", lambda url: Client(URL, transport=httpx.MockTransport(answers)))
    assert CliRunner().invoke(cli, ["jobs", "--after", said, "--before", said]).exit_code == 0
    assert got == [{"limit": "20", "created_after": sent, "created_before": sent}]


def test_a_job_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes as it is, with the id, and not as a success."""
    client = Client(URL, transport=httpx.MockTransport(lambda _: problem(404, "There is no such job.")))
    monkeypatch.setattr(cli_jobs, "client_of", lambda url: client)
    result = CliRunner().invoke(cli, ["jobs", "cancel", ID])
    assert result.exit_code == 1
    assert f"{ID}: 404 No: There is no such job." in result.output
