"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BOOKS = Path(os.environ.get("STREAMAPP_TEST_BOOKS", Path(__file__).parents[2] / "shared" / "books"))


@pytest.fixture(scope="session")
def books() -> Path:
    """The folder with the two whole books."""
    assert (BOOKS / "sherlock-holmes.txt").is_file(), f"the books are not in {BOOKS}; set STREAMAPP_TEST_BOOKS"
    return BOOKS
