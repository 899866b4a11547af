"""Cancelling and retrying many jobs at a time: a page of them in one transaction, and then what follows from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from streamapp.identity import Run
from streamapp.jobs.progress import Progress
from streamapp.jobs.retrying import Retrying
from streamapp.store.bulk import By, cancel_all, retry_all
from streamapp.store.database import Database
from streamapp.store.sql import AnyRow

__all__ = ["Many"]


class Many:
    """Works on the rows of a page of one tenant's jobs."""

    def __init__(self, database: Database, progress: Progress, retrying: Retrying, predictors: Collection[str]) -> None:
        self._database = database
        self._progress = progress
        self._retrying = retrying
        self._predictors = predictors

    async def cancel(self, rows: Sequence[AnyRow], by: By) -> list[str]:
        """Cancel these; returns the ids of those that had not ended before."""
        ended, due = await self._database.write(cancel_all, [Run(row.tenant, row.id, row.run) for row in rows], by)
        await self._progress.were_cancelled(ended, due, self._predictors)
        return [run.job for run in ended]

    async def retry(self, rows: Sequence[AnyRow], by: By) -> list[str]:
        """Try these again whose documents are still kept; returns the ids of those that will run."""
        there = [row for row in rows if await self._retrying.has_document(row)]
        queued = await self._database.write(retry_all, [Run(row.tenant, row.id, row.run) for row in there], by)
        if queued:
            self._retrying.publish_soon(queued)
        return [row.id for row in queued]
