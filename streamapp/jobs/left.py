"""Jobs of tasks that are not offered any more: their chunks have no reader, so they wait until their time is over."""

from __future__ import annotations

import logging
from collections.abc import Collection

from streamapp.store import jobs
from streamapp.store.database import Database

__all__ = ["warn_of_left", "what_to_do"]

logger = logging.getLogger(__name__)


async def warn_of_left(database: Database, tasks: Collection[str]) -> None:
    """Say how many jobs wait for tasks that are not among these. Raises `StoreUnavailable`."""
    for task, count in (await database.read(jobs.open_by_task)).items():
        if task not in tasks:
            logger.warning(
                "jobs of task %s that have not ended: %d, and it is not offered here. %s", task, count, what_to_do(task)
            )


def what_to_do(task: str) -> str:
    """The advice, in a sentence."""
    return f"Offer it again, or end them: `streamapp jobs cancel --task {task}`, with an admin's key of each tenant."
