"""A running job's page in a real browser: what there is of its report so far, with a script and without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from streamapp.testing.deployment import Deployment, until
from tests.e2e.browser import Page
from tests.e2e.held import held

pytestmark = pytest.mark.timeout(300)

LINK = "document.querySelector('main a[href$=\"/partial\"]')"
WORDS = "one two three four five six"
SHOWN = "document.querySelector('#so-far .text')?.textContent"


@pytest.fixture(scope="module")
def worker(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker whose task tells of each two words that are through, and waits at the fifth."""
    folder = tmp_path_factory.mktemp("so-far")
    with held(broker, folder, "telling_task:Telling", "five", STREAMAPP_CHUNK_ITEMS="1") as running:
        yield running


@pytest.fixture(scope="module")
def job(worker: Deployment) -> str:
    """A job that goes no further than that."""
    return worker.submit({"task": "telling", "text": WORDS})


def so_far(worker: Deployment, job: str) -> str | None:
    """What programs are told that there is."""
    text: str | None = worker.http.get(f"/v1/jobs/{job}/partial").json().get("text")
    return text


async def test_what_there_is_so_far_is_shown(page: Page, worker: Deployment, job: str) -> None:
    """I expect it without doing anything, and once more when I load the page again while the job does not go on."""
    comes = f"new Promise(told => setInterval(() => {SHOWN} === 'one two three four' && told(true), 50))"
    await page.open(f"{worker.url}/jobs/{job}")
    assert await page.run(comes)
    await page.open(f"{worker.url}/jobs/{job}")
    assert await page.run(comes)
    assert not await page.run(f"{LINK}?.checkVisibility()")  # it is there already


async def test_without_a_script_it_is_linked(page: Page, worker: Deployment, job: str) -> None:
    """I expect a link on the page, and what it leads to to be readable."""
    await asyncio.to_thread(until, lambda: so_far(worker, job) == "one two three four", 30.0, "four words are through")
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{worker.url}/jobs/{job}")
    assert await page.run(f"{LINK}.checkVisibility() && {LINK}.textContent") == "What there is so far"
    await page.open(await page.run(f"{LINK}.href"))
    assert await page.run("document.body.innerText") == "So far\none two three four"
