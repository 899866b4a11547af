"""What the script keeps fresh on the page of jobs, in a real browser: all that is shown, wherever the page stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment
from streamapp.testing.keys import make_key
from tests.e2e.browser import Page
from tests.e2e.held import held

pytestmark = pytest.mark.timeout(300)

FEW = 20  # as many as `GET /v1/jobs` lists unless it is told
REFUSED = "performance.getEntriesByType('resource').filter(each => each.responseStatus >= 400).map(each => each.name)"


@pytest.fixture(scope="module")
def worker(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker whose task waits at the word "stay"."""
    folder = tmp_path_factory.mktemp("live")
    with held(broker, folder, "steered_task:Steered", "stay") as running:
        yield running


def some_job(worker: Deployment, name: str) -> str:
    """A job that goes on until it is cancelled."""
    return worker.submit({"task": "steered", "text": "stay", "name": name})


def cancelled(worker: Deployment, *jobs: str) -> None:
    """End them."""
    for job in jobs:
        assert worker.http.delete(f"/v1/jobs/{job}").is_success


async def shown(page: Page, job: str, status: str) -> Any:
    """Wait until the row of that job has that status."""
    has_it = f"document.querySelector('[data-job=\"{job}\"]')?.dataset.status === '{status}'"
    return await page.run(f"new Promise(told => setInterval(() => {has_it} && told(true), 50))")


async def test_the_last_row_is_kept_fresh_like_the_first(page: Page, worker: Deployment) -> None:
    """I expect a job that stands below more than twenty others to end on the page when it ends."""
    oldest = await asyncio.to_thread(some_job, worker, "the oldest")
    others = [await asyncio.to_thread(some_job, worker, f"number {number}") for number in range(FEW + 1)]
    await asyncio.to_thread(cancelled, worker, *others)
    await page.open(worker.url)
    rows = "[...document.querySelectorAll('[data-job]')].map(each => each.dataset.job)"
    assert (await page.run(rows)).index(oldest) > FEW
    await asyncio.to_thread(cancelled, worker, oldest)
    assert await shown(page, oldest, "cancelled")


async def test_a_refused_form_stands_beside_a_list_that_is_fresh(page: Page, worker: Deployment) -> None:
    """I expect the jobs to go on beside what was refused, which stays as I wrote it, and no request that fails."""
    ends, lasts = [await asyncio.to_thread(some_job, worker, name) for name in ("ends", "lasts")]
    await page.open(worker.url)
    await page.run("document.getElementById('email').value = 'mary@example'")
    await page.submit("document.querySelector('form[data-send]').submit()")
    title, error = "document.title", "document.querySelector('#error strong').textContent"
    before = [await page.run(each) for each in (title, error)]
    await asyncio.to_thread(cancelled, worker, ends)
    assert await shown(page, ends, "cancelled")
    await asyncio.to_thread(cancelled, worker, lasts)
    assert await shown(page, lasts, "cancelled")

    assert await page.run("location.pathname") == "/ui/jobs"
    assert [await page.run(each) for each in (title, error)] == before
    assert before[0].startswith("Please check")
    assert await page.run("document.getElementById('email').value") == "mary@example"
    assert await page.run(REFUSED) == []


async def test_who_is_logged_out_meanwhile_is_asked_for_a_key(page: Page, worker: Deployment) -> None:
    """I expect a page that takes one, and not my form to be sent once more."""
    await asyncio.to_thread(some_job, worker, "goes on")
    await page.open(worker.url)
    await page.submit("document.querySelector('form[data-send]').submit()")
    assert await page.run("location.pathname") == "/ui/jobs"
    await asyncio.to_thread(make_key, worker, "anna")
    await page.submit("0")  # by itself
    assert await page.run("location.pathname + ' ' + document.querySelector('h1').textContent") == "/ Log in"
