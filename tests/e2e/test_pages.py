"""The pages in a real browser, on a real worker: what one chooses in the form is what the task is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment
from streamapp.testing.keys import make_key
from tests.e2e.browser import Page

pytestmark = pytest.mark.timeout(300)

DEFAULTS = {"pages": 3, "share": 0.5, "deep": True, "tone": "plain", "title": None, "words": []}
WIDE, NARROW = 1280, 390


@pytest.fixture(scope="module")
def worker(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker with no model that is worth the name, and a task that says which parameters it was given."""
    settings = {
        "STREAMAPP_TASKS": "tests.e2e.choosing_task:Choosing",
        "STREAMAPP_ONLY_TASKS": "echo,choosing",
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
    }
    with Deployment(broker, tmp_path_factory.mktemp("pages"), settings) as running:
        yield running


def setting(field: str, value: str) -> str:
    """The script that writes into the field of that name."""
    return f"document.getElementsByName({json.dumps(field)})[0].value = {json.dumps(value)}"


def clicking(selector: str) -> str:
    """The script that clicks."""
    return f"document.querySelector({json.dumps(selector)}).click()"


async def told(page: Page, worker: Deployment) -> dict[str, Any]:
    """What the task was given that the page's job is for."""
    path = await page.run("location.pathname")
    assert path.startswith("/jobs/"), path
    job = await asyncio.to_thread(worker.finished, path.removeprefix("/jobs/"))
    assert job["status"] == "succeeded", job["error"]
    data: dict[str, Any] = job["report"]["data"]
    return data


async def test_options_of_the_chosen_task_are_sent(page: Page, worker: Deployment) -> None:
    """I expect the options of one task at a time, and the task to be given what I wrote into them."""
    await page.open(worker.url)
    groups = "[...document.querySelectorAll('[data-options]:not([hidden])')].map(each => each.dataset.options)"
    assert await page.run(groups) == ["echo"]
    assert await page.run("document.querySelector('#options').open") is False
    await page.run(clicking('[name=task][value="choosing"]'))
    assert await page.run(groups) == ["choosing"]
    await page.run(setting("text", "A line."))
    for name, value in {"pages": "7", "share": "0.25", "tone": '"warm"', "title": "7", "words": '["a", "b"]'}.items():
        await page.run(setting(f"option.choosing.{name}", value))
    await page.run(clicking('[name="option.choosing.deep"]'))
    await page.submit(clicking("form[data-send] button.main"))

    assert await told(page, worker) == {
        "pages": 7, "share": 0.25, "deep": False, "tone": "warm", "title": "7", "words": ["a", "b"],
    }  # fmt: skip


async def test_the_simple_case_is_simple(page: Page, worker: Deployment) -> None:
    """I expect the defaults where I open no options."""
    await page.open(worker.url)
    await page.run(clicking('[name=task][value="choosing"]'))
    await page.run(setting("text", "A line."))
    await page.submit(clicking("form[data-send] button.main"))

    assert await told(page, worker) == DEFAULTS


async def test_what_is_out_of_bounds_is_shown(page: Page, worker: Deployment) -> None:
    """I expect the browser to open the folded options and to stand at the field, and nothing to be sent."""
    await page.open(worker.url)
    await page.run(setting("text", "A line."))
    await page.run(setting("option.echo.chunk", "0"))
    await page.run(clicking("form[data-send] button.main"))

    assert await page.run("document.querySelector('#options').open") is True
    assert await page.run("document.activeElement.name") == "option.echo.chunk"
    assert await page.run("location.pathname") == "/"


async def test_what_the_worker_refuses_stands_beside_the_field(page: Page, worker: Deployment) -> None:
    """I expect the form again as I filled it, opened, with the reason at its field; and a second try to work."""
    await page.open(worker.url)
    await page.run(clicking('[name=task][value="choosing"]'))
    await page.run(setting("text", "A line."))
    await page.run(setting("option.choosing.words", "no JSON"))
    await page.run(setting("option.choosing.pages", "9"))
    await page.submit(clicking("form[data-send] button.main"))

    assert await page.run("document.querySelector('#options').open") is True
    field = "document.querySelector('[name=\"option.choosing.words\"]')"
    assert await page.run(f"{field}.getAttribute('aria-invalid')") == "true"
    beside = f"document.getElementById({field}.getAttribute('aria-describedby').split(' ').pop())"
    assert "This is not JSON" in await page.run(f"{beside}.textContent")
    assert await page.run(f"{beside}.checkVisibility() && {field}.value") == "no JSON"
    await page.run(setting("option.choosing.words", '["b"]'))
    await page.submit(clicking("form[data-send] button.main"))
    assert await told(page, worker) == DEFAULTS | {"pages": 9, "words": ["b"]}


def test_all_that_is_wrong_is_said_at_once(worker: Deployment) -> None:
    """I expect a form with a wrong address and no document to be told of both, each at its field; the API's too."""
    fields = {"task": "echo", "text": "", "email": "nobody"}
    files: dict[str, Any] = {"file": ("", b""), **{name: (None, value) for name, value in fields.items()}}
    page = worker.http.post("/ui/jobs", files=files)
    assert page.status_code == 422
    assert 'id="email-wrong1">this is not one e-mail address' in page.text
    assert 'id="file-wrong1">There is no document' in page.text

    errors = worker.http.post("/v1/jobs", files=files).json()["errors"]
    assert [each["field"] for each in errors] == ["email", "file"]


async def test_a_job_that_ends_leaves_the_list_of_those_that_run(page: Page, worker: Deployment) -> None:
    """I expect a filter to hold while I look: what was cancelled goes, though nobody loads the page again."""
    job = await asyncio.to_thread(worker.submit, {"task": "echo", "text": "A line.\n" * 200_000})
    await page.open(f"{worker.url}/?status=queued,running&task=echo")
    row = f"document.querySelector('[data-job=\"{job}\"]')"
    assert await page.run(f"{row} !== null")
    await asyncio.to_thread(worker.http.delete, f"/v1/jobs/{job}")
    said = "document.querySelector('#jobs').textContent"
    gone = f"new Promise(told => setInterval(() => {row} === null && told({said}), 50))"
    assert "No job is like that." in await page.run(gone)
    assert await page.run("document.querySelector('#of-status').value") == "queued,running"


def test_without_a_script(worker: Deployment) -> None:
    """I expect what a form sends by itself to do the same: every group, and only the chosen task's is looked at."""
    fields = {
        "task": "choosing", "text": "A line.", "within": "24",
        "option.echo": "shown", "option.echo.chunk": "-5",
        "option.choosing": "shown", "option.choosing.pages": "11", "option.choosing.title": "t" * 21,
    }  # fmt: skip
    refused = worker.http.post("/ui/jobs", files={name: (None, value) for name, value in fields.items()})
    assert refused.status_code == 422
    assert "less than or equal to 10" in refused.text
    assert "at most 20 characters" in refused.text
    assert "<code>params" not in refused.text  # at their fields, not above the form

    fields |= {"option.choosing.pages": "10", "option.choosing.title": "", "option.choosing.deep": "true"}
    sent = worker.http.post("/ui/jobs", files={name: (None, value) for name, value in fields.items()})
    job = worker.finished(sent.headers["Location"].removeprefix("/jobs/"))
    assert job["report"]["data"] == DEFAULTS | {"pages": 10}

    for wrong in ({"within": "25"}, {"option.choosing.tone": '"loud"'}, {"option.choosing.share": "half"}):
        answer = worker.http.post("/ui/jobs", files={k: (None, v) for k, v in (fields | wrong).items()})
        assert (answer.status_code, answer.text.count('class="wrong"')) == (422, 1), wrong


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"task": {"a": 1}, "text": "x"}},
        {"json": {"task": "echo", "text": "x", "option.echo": [1], "option.echo.chunk": {"a": 1}}},
        {"json": {"task": "echo", "text": "x", "within": ["24"]}},
        {"files": {"task": (None, "echo"), "option.echo": (None, "shown"), "option.echo.chunk": (None, b"\xff")}},
        {"files": {"task": (None, "echo"), "option.echo": (None, "shown"), "option.echo.chunk": (None, "9" * 5000)}},
        {"files": {"task": (None, "echo"), "text": (None, "x"), "option": (None, "no such field")}},
        {
            "files": {
                "task": (None, "choosing"),
                "option.choosing": (None, "s"),
                "option.choosing.words": (None, "[" * 99999),
            }
        },
    ],
)
def test_what_no_browser_sends(worker: Deployment, body: dict[str, Any]) -> None:
    """I expect a refusal that says why, to people and to programs."""
    for accept in ("text/html", "application/json"):
        answer = worker.http.post("/ui/jobs", **body, headers={"Accept": accept})
        assert answer.status_code in (400, 422), answer.text


async def test_no_page_is_wider_than_its_window(page: Page, worker: Deployment) -> None:
    """I expect no page to scroll sideways, however long a file's name is."""
    name = "a_book_with_a_very_long_name_" * 6 + ".txt"
    sent = worker.http.post("/v1/jobs", data={"task": "echo"}, files={"file": (name, b"x" * 300, "text/plain")})
    job = await asyncio.to_thread(worker.finished, sent.json()["id"])
    for width in (WIDE, NARROW):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == NARROW}
        await page.call("Emulation.setDeviceMetricsOverride", **size)
        for path in ("/", f"/jobs/{job['id']}", "/inbox", "/agents", "/docs"):
            await page.open(worker.url + path)
            await page.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
            widest = "Math.max(...[...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll'))"
            assert await page.run(f"{widest}.map(each => each.getBoundingClientRect().right))") <= width, path
            assert await page.run("document.documentElement.scrollWidth <= innerWidth"), path


async def test_who_is_logged_in_is_shown(page: Page, worker: Deployment) -> None:
    """I expect no way to log in where no key is asked for; then who I am and the way out, and then the way in again."""
    header = "document.querySelector('.top').innerText"
    await page.open(worker.url)
    assert "Log" not in await page.run(header)
    await page.open(f"{worker.url}/login")
    assert await page.run("location.pathname") == "/"

    key = make_key(worker, "anna")
    await page.open(f"{worker.url}/login")
    assert "Log in" in await page.run(header)
    await page.run(setting("key", key))
    await page.submit(clicking("main form button"))

    shown = await page.run(header)
    assert "anna" in shown
    assert "Log out" in shown
    assert "Log in" not in shown
    await page.submit(clicking(".who button"))
    assert "Log in" in await page.run(header)
    assert "Log out" not in await page.run(header)
