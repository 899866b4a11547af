"""What is done to many jobs or dead letters in one transaction, with the line that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.store import audit, dead_letters, ends
from streamapp.store.ledger import Due
from streamapp.store.retrying import again
from streamapp.store.sql import AnyRow

__all__ = ["By", "cancel_all", "discard_letters", "note_redriven", "retry_all"]

BY_OPERATOR = "cancelled by an operator"


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and how they said which jobs."""

    tenant: str
    key: str | None
    wanted: Mapping[str, Any]


def cancel_all(connection: Connection, runs: Sequence[Run], by: By) -> tuple[list[Run], list[Due]]:
    """Cancel those that have not ended meanwhile; returns them, and who is to be told."""
    told = {run: due for run in runs if (due := ends.cancel(connection, run, BY_OPERATOR)) is not None}
    audit.note(connection, by.tenant, by.key, "cancel", by.wanted, len(told))
    return list(told), [each for due in told.values() for each in due]


def retry_all(connection: Connection, runs: Sequence[Run], by: By) -> list[AnyRow]:
    """Queue the next run of those that can be tried again; returns their rows."""
    queued = [row for run in runs if (row := again(connection, run)) is not None]
    audit.note(connection, by.tenant, by.key, "retry", by.wanted, len(queued))
    return queued


def discard_letters(connection: Connection, letters: Sequence[int], by: By) -> int:
    """Discard those that are open still; returns how many."""
    changed = sum(dead_letters.discard(connection, each) for each in letters)
    audit.note(connection, by.tenant, by.key, "discard", by.wanted, changed)
    return changed


def note_redriven(connection: Connection, changed: int, by: By) -> None:
    """Say that so many went back; each of them in a transaction of its own, when its topic had it."""
    audit.note(connection, by.tenant, by.key, "redrive", by.wanted, changed)
