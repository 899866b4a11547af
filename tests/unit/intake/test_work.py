"""What the intake notes of the work that is asked for, so that the same is known again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamapp.documents.claim import Blobs
from streamapp.identity import digest
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.intake.submission import parse_submission
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry
from streamapp.tasks.summarize import Summarize

OPTIONAL = {"deadline": None, "email": None, "name": None, "priority": 0}


async def submitted(database: Database, folder: Path, key: str | None = None, **fields: Any) -> AnyRow:
    """The job's row."""

    async def publish(rows: Sequence[AnyRow]) -> None:
        """Nothing."""

    intake = Intake(Registry([Echo(), Summarize()]), database, Blobs((folder / "blobs").as_uri()), publish)
    body = parse_submission({"task": "summarize", "text": "A line.", **fields})
    return (await intake.submit("anna", body, key=key)).row


async def test_the_same_work_has_the_same_hash(database: Database, tmp_path: Path) -> None:
    """I expect who asks, how urgently, and how the body is written not to matter; parameters and document do."""
    first = await submitted(database, tmp_path)
    assert len(first.work_hash) == 64
    same: tuple[dict[str, Any], ...] = (
        {"email": "a@localhost", "priority": 2, "name": "Other", "fresh": True},
        {"params": {"sentences_per_chapter": 3}},
        {"text": None, "document": "QSBsaW5lLg==", "media_type": "text/plain; charset=utf-8"},
    )
    for other in same:
        row = await submitted(database, tmp_path, **other)
        assert row.work_hash == first.work_hash
        assert row.fresh is bool(other.get("fresh"))
    others: tuple[dict[str, Any], ...] = ({"params": {"sentences_per_chapter": 2}}, {"text": "Another line."})
    for other in others:
        assert (await submitted(database, tmp_path, **other)).work_hash != first.work_hash
    assert (await submitted(database, tmp_path, task="echo")).work_hash is None


async def test_a_key_of_before_is_known(database: Database, tmp_path: Path) -> None:
    """I expect a body without `fresh` to have the hash that it had before there was such a field."""
    row = await submitted(database, tmp_path)
    expected = digest("summarize", row.params, "text/plain", b"A line.", json.dumps(OPTIONAL, sort_keys=True))
    assert row.body_hash == expected
    assert (await submitted(database, tmp_path, fresh=False)).body_hash == expected


async def test_fresh_is_part_of_the_body(database: Database, tmp_path: Path) -> None:
    """I expect the same key with and without `fresh` to be two bodies, and anything but a truth value to be refused."""
    await submitted(database, tmp_path, key="one")
    with pytest.raises(Refused) as refused:
        await submitted(database, tmp_path, key="one", fresh=True)
    assert refused.value.problem.status == 422
    for value in (1, "true", None):
        with pytest.raises(Refused):
            parse_submission({"task": "echo", "text": "A line.", "fresh": value})
