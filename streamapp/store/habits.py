"""What jobs of a task were like lately: how many items a document gives, and what takes time beside the models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, select

from streamapp.store import rests
from streamapp.store.rests import ALIKE
from streamapp.store.schema import jobs
from streamapp.store.sql import AnyRow

__all__ = ["Habit", "Usual", "habits"]

RECENT = 60  # of a tenant's newest jobs


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for a document: items, seconds until it is planned, seconds around its items' computing."""

    items: float | None
    plan_s: float
    rest_s: float


class Habit:
    """The finished jobs of one task."""

    def __init__(self, task: str, rows: Sequence[AnyRow]) -> None:
        self._task = task
        self._rows = rows

    def of(self, size: int, rate: float | None) -> Usual:
        """What to expect of a document of that many bytes, when models compute `rate` items a second."""
        alike = [row for row in self._rows if size / ALIKE <= row.size <= size * ALIKE] or self._rows
        if not alike:
            return Usual(None, 0.0, 0.0)
        items = size * median(row.total / max(1, row.size) for row in alike)
        plan_s = min(row.started_at - row.created_at for row in alike)
        rest_s = rests.usual(self._task, size)
        if rest_s is None:  # under load others' work is in there too, so that the least is nearest to what is its own
            rest_s = min(row.finished_at - row.started_at - (row.total / rate if rate else 0.0) for row in alike)
        return Usual(items, max(0.0, plan_s), max(0.0, rest_s))


def habits(connection: Connection, tenants: Iterable[str]) -> dict[str, Habit]:
    """The habits of each task, as these tenants' newest jobs show them."""
    rows: list[AnyRow] = []
    columns = ("task", "size", "total", "status", "created_at", "started_at", "finished_at")
    for tenant in tenants:
        newest = select(*(jobs.c[name] for name in columns)).where(jobs.c.tenant == tenant)
        rows += connection.execute(newest.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(RECENT)).all()
    done = [row for row in rows if row.status == "succeeded" and row.started_at is not None]
    return {task: Habit(task, [row for row in done if row.task == task]) for task in {row.task for row in done}}
