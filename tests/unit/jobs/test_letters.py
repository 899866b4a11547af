"""The dead letters' desk stores anything that can stand on a topic."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from streamapp.jobs.letters import LetterDesk, NotRedrivable
from streamapp.models import DeadLetter
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter


async def never(*_: Any) -> None:
    """Nothing is to be sent."""
    raise AssertionError("sent")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": "anna", "job_id": "j1"}, ("anna", "j1")),
        ({"tenant": "\ud800", "job_id": "j1"}, (None, None)),
        ({"tenant": "an\0na", "job_id": "j1"}, (None, None)),
        ({"tenant": 5, "job_id": "j1"}, (None, None)),
        ({"tenant": "anna", "job_id": "j" * 37}, (None, None)),
        (["no object"], (None, None)),
    ],
)
async def test_whose_it_is_is_noted_if_it_can_be_read(
    database: Database, fields: Any, named: tuple[str | None, str | None]
) -> None:
    """Poison may name anything; it is stored all the same."""
    value = base64.b64encode(json.dumps(fields).encode()).decode()
    desk = LetterDesk(database, never)

    await desk.note(DeadLetter("t", 0, 1, "why\0", 1.0, None, value))

    (row,) = await desk.matching(Filter(), 10)
    assert (row.tenant, row.job) == named
    assert row.reason == "why?"


async def test_what_has_no_bytes_can_not_be_redriven(database: Database) -> None:
    """It was empty, or too large to be kept."""
    desk = LetterDesk(database, never)
    await desk.note(DeadLetter("t", 0, 1, "why", 1.0))
    (row,) = await desk.matching(Filter(), 10)
    with pytest.raises(NotRedrivable):
        await desk.redrive(row)
