"""What can't be the result of its chunk is refused before it is stored: stored, it would fail the whole job later."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.errors import InvalidMessage
from streamapp.jobs.collect import keep_result
from streamapp.store.database import Database
from tests.unit.store.rows import key, running

GOOD: list[dict[str, Any]] = [{"out": {}}, {"error": "bad item"}]


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        GOOD[:1],
        [*GOOD, {"out": {}}],
        [{}, {"out": {}}],
        [{"out": None}, {"out": {}}],
        [{"error": 5}, {"out": {}}],
        [{"out": {}, "error": "both"}, {"out": {}}],
    ],
)
def test_what_is_no_result_of_its_chunk_is_refused(database: Database, outcomes: list[dict[str, Any]]) -> None:
    """Nothing is stored, and the right result is still taken after it."""
    run = running(database, chunks=1)

    with pytest.raises(InvalidMessage):
        database.write_sync(keep_result, key(run, 0), outcomes)

    assert database.write_sync(keep_result, key(run, 0), GOOD) is not None


def test_a_result_without_its_chunk_is_dropped(database: Database) -> None:
    """A late one of an ended job is no mistake of anybody's."""
    run = running(database, chunks=1)
    assert database.write_sync(keep_result, key(run, 7), GOOD) is None
