"""A real broker for the session, and a deployment on it that tests which harm nothing share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of a broker of this session's own."""
    with kafka_broker() as address:
        yield address


@pytest.fixture(scope="session")
def deployment(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A running worker with the task `echo`, and limits of 1 MiB for a body and for a document.

    It asks for no key, so that pages of other origins may call it only because these are named.
    """
    settings = {
        "STREAMAPP_ONLY_TASKS": '["echo"]',
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_CORS_ORIGINS": "http://localhost:3000, https://example.org, https://example.com",
        "STREAMAPP_MAX_BODY_BYTES": str(1 << 20),
        "STREAMAPP_MAX_DOCUMENT_BYTES": str(1 << 20),
    }
    with Deployment(broker, tmp_path_factory.mktemp("deployment"), settings) as running:
        yield running
