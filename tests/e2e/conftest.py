"""The whole system with its real model: a worker on a broker of the session's own; and a browser's tab."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment
from tests.e2e.browser import Page, browser, found


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of a broker of this session's own."""
    with kafka_broker() as address:
        yield address


@pytest.fixture(scope="module")
def deployment(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A running worker with every built-in task."""
    with Deployment(broker, tmp_path_factory.mktemp("deployment")) as running:
        yield running


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A tab."""
    if found() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is needed")
        pytest.skip("Chromium is not installed")
    async with browser(tmp_path / "profile") as tab:
        yield tab
