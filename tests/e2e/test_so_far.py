"""A running job's page in a real browser: what there is of its report so far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.testing.deployment import Deployment
from tests.e2e.browser import Page

pytestmark = pytest.mark.timeout(300)

WORDS = "one two three four five six"
SHOWN = "document.querySelector('#so-far .text')?.textContent"


@pytest.fixture
def worker(broker: str, tmp_path: Path) -> Iterator[Deployment]:
    """A worker whose task tells of each two words that are through, and waits at the fifth."""
    (tmp_path / "five").touch()
    settings = {
        "STREAMAPP_TASKS": "tests.integration.telling_task:Telling",
        "STREAMAPP_ONLY_TASKS": "telling",
        "STREAMAPP_DEFAULT_TASK": "telling",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_CHUNK_ITEMS": "1",
        "STEERED": str(tmp_path),
    }
    with Deployment(broker, tmp_path / "home", settings) as running:
        yield running
        (tmp_path / "five").unlink(missing_ok=True)


async def test_what_there_is_so_far_is_shown(page: Page, worker: Deployment) -> None:
    """I expect it without doing anything, and once more when I load the page again while the job does not go on."""
    job = worker.submit({"task": "telling", "text": WORDS})
    so_far = f"new Promise(told => setInterval(() => {SHOWN} === 'one two three four' && told(true), 50))"
    await page.open(f"{worker.url}/jobs/{job}")
    assert await page.run(so_far)
    await page.open(f"{worker.url}/jobs/{job}")
    assert await page.run(so_far)
