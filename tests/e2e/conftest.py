"""The whole system with its real model: a worker on a broker of the session's own."""

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


@pytest.fixture(scope="module")
def deployment(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A running worker with every built-in task."""
    with Deployment(broker, tmp_path_factory.mktemp("deployment")) as running:
        yield running
