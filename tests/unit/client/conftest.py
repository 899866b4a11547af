"""Each test of the client asks with both of them."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sync", "async"])
def how(request: pytest.FixtureRequest) -> str:
    """Which client asks."""
    return str(request.param)
